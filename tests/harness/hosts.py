"""Several hosts of one installation: each has its own folder, secrets and ports; they share the database."""

from programs import SOURCE, Deployment

SHARED = ("keyring", "miro.secret", f"{SOURCE}.secret")


class Host(Deployment):
    """A further host beside `first`, with a copy of its secrets."""

    def __init__(self, first, overrides=None):
        miro = {"miro": first.settings["miro"]}
        super().__init__(first.server, {**miro, **(overrides or {})},
                         {name: first.file_text(name) for name in SHARED}, first.database)
        self.miro_secret = first.miro_secret

    def check_drift(self):
        """The first host's to check."""


def bring(first, others, *names):
    """Copies files of the first host to the others, as an operator does."""
    for other in others:
        for name in names:
            other.write(name, first.file_text(name))
