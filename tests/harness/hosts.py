"""Several hosts of one installation: each has its own folder and ports; they share secrets and database."""

from programs import Deployment


def secret_files(site):
    """The names of the files that the configuration names."""
    return {value for keys in site.settings.values() for key, value in keys.items() if key.endswith("_file")}


class Host(Deployment):
    """A further host beside `first`, with a copy of its secrets; or one on another server, with the same database."""

    def __init__(self, first, server=None):
        shared = {name: first.settings[name] for name in first.settings if name not in ("server", "database")}
        super().__init__(server or first.server, shared,
                         {name: first.file_text(name) for name in secret_files(first)}, first.database)
        self.miro_secret = first.miro_secret

    def check_drift(self):
        """The first host's to check."""


def bring(first, others, *names):
    """Copies files of the first host to the others, as an operator does."""
    for other in others:
        for name in names:
            other.write(name, first.file_text(name))
