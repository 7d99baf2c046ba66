"""A certificate authority of our own, for tests that speak TLS."""

import os
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


class Authority:
    """Makes NAME.pem, NAME.key and what they sign, in one folder."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.certificate = os.path.join(folder, f"{name}.pem")
        self.key = os.path.join(folder, f"{name}.key")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "2", "-subj", f"/CN={name} of a test", "-keyout", self.key,
                "-out", self.certificate)

    def sign(self, name, alternative):
        """(certificate, key) for a server; `alternative` is "DNS:localhost" or the like."""
        paths = {end: os.path.join(self.folder, f"{name}.{end}") for end in ("pem", "key", "csr")}
        extensions = os.path.join(self.folder, f"{name}.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={alternative}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-subj", f"/CN={name}", "-keyout", paths["key"], "-out", paths["csr"])
        openssl("x509", "-req", "-in", paths["csr"], "-CA", self.certificate, "-CAkey", self.key,
                "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", paths["pem"])
        return paths["pem"], paths["key"]
