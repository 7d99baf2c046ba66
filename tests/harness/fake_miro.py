"""Miro's token and profile answers, to the byte: for answers that the stand-in program never gives.

    with FakeMiro() as miro:
        deployment.configure({"miro": miro.settings()})
        miro.token(user="42", team="7")
        miro.profile(user="42", email="zoe@example.test")
"""

import urllib.parse

from fake_shop import Answer, FakeServer, Sequence

TOKEN = "/v1/oauth/token"
PROFILE = "/v1/users/me"


def error(status, code, message):
    """Miro's error envelope."""
    return Answer({"status": status, "code": code, "message": message, "type": "error"}, status)


class FakeMiro(FakeServer):
    """Answers of the two endpoints; each can also be any Answer or Sequence."""

    def settings(self):
        """The keys of [miro] that point here."""
        return {"authorize_url": f"{self.url}/oauth/authorize", "api_url": self.url,
                "profile_url": self.url + PROFILE,
                "completed_url": f"{self.url}/app-install-completed/"}

    def token(self, user, team, **changes):
        """The exchange's answer; a change to None leaves the field out."""
        answer = {"user_id": user, "team_id": team, "access_token": f"access-{user}",
                  "refresh_token": f"refresh-{user}", "token_type": "bearer",
                  "scope": "boards:read identity:read", "expires_in": 3599}
        answer.update(changes)
        self.answers[TOKEN] = {name: value for name, value in answer.items() if value is not None}

    def profile(self, user, email, **changes):
        answer = {"type": "user", "id": user, "name": "Zoe", "email": email,
                  "state": "registered"}
        answer.update(changes)
        self.answers[PROFILE] = {name: value for name, value in answer.items()
                                 if value is not None}

    def token_says(self, *answers):
        self.answers[TOKEN] = Sequence(*answers)

    def profile_says(self, *answers):
        self.answers[PROFILE] = Sequence(*answers)

    def exchanges(self):
        """The forms that were posted, as dicts of first values."""
        forms = []
        for asked in self.asked(TOKEN):
            fields = urllib.parse.parse_qs(asked.body.decode() or asked.query)
            forms.append({name: values[0] for name, values in fields.items()})
        return forms
