"""Signatures and idTokens, made independently of the programs under test."""

import base64
import hashlib
import hmac
import json
import os
import time

MIRO_CLIENT_ID = "3074457363680401096"


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def sign_woocommerce(body, secret):
    """The header that WooCommerce sends: the key is the secret's text."""
    signature = base64.b64encode(mac(secret.encode(), body)).decode()
    return {"X-WC-Webhook-Signature": signature}


def sign_shopify(body, secret):
    signature = base64.b64encode(mac(secret.encode(), body)).decode()
    return {"X-Shopify-Hmac-Sha256": signature}


def standard_key(secret):
    """`whsec_` and base64, with or without the prefix and the padding."""
    text = secret.removeprefix("whsec_")
    return base64.b64decode(text + "=" * (-len(text) % 4))


def sign_standard(body, secret, message_id=None, timestamp=None):
    """The three headers of Standard Webhooks; a message id of its own unless told."""
    message_id = message_id or "msg_" + os.urandom(12).hex()
    timestamp = str(int(time.time()) if timestamp is None else timestamp)
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(mac(standard_key(secret), signed)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{signature}"}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mint_jwt(header, payload, secret):
    """HS256 over whatever header and payload say, which may well be nonsense."""
    parts = [base64url(json.dumps(part, separators=(",", ":")).encode())
             for part in (header, payload)]
    signed = ".".join(parts)
    return f"{signed}.{base64url(mac(secret.encode(), signed.encode()))}"


def mint_id_token(user, team, secret, client_id=MIRO_CLIENT_ID, **claims):
    """As miro.board.getIdToken() gives it; a claim given as None is left out."""
    now = int(time.time())
    payload = {"sub": client_id, "iss": "miro", "team": team, "user": user, "iat": now,
               "exp": now + 3600}
    payload.update(claims)
    payload = {name: value for name, value in payload.items() if value is not None}
    return mint_jwt({"alg": "HS256", "typ": "JWT"}, payload, secret)
