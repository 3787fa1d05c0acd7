"""moto made quicker: what it works out anew on every request is kept."""

from __future__ import annotations

from functools import cache


def apply() -> None:
    """Once, before the first request."""
    import moto.backends as backends
    import moto.core.responses as responses
    import moto.iam.models as iam
    from moto.ec2.models.core import TaggedEC2Resource
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    # The folder of every service, looked for on disk.
    modules = frozenset(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules  # type: ignore[assignment,return-value]
    # The methods of a class, by reflection over all of its attributes.
    responses.method_names_from_class = cache(responses.method_names_from_class)
    # The service of a host name, by some 200 regular expressions.
    DomainDispatcherApplication.get_backend_for_host = cache(  # type: ignore[method-assign]
        DomainDispatcherApplication.get_backend_for_host
    )
    # When a key was last used: makes the backends of every partition on the way.
    iam.mark_account_as_visited = lambda **_: None  # type: ignore[assignment]

    # The tags of one thing, by a walk over the tags of all things.
    def tags(self: TaggedEC2Resource) -> list[dict[str, str]]:
        found = self.ec2_backend.tags.get(self.id, {})  # type: ignore[attr-defined]
        kind = self.id.split("-")[0]  # type: ignore[attr-defined]
        return [
            {"resource_id": self.id, "key": key, "value": value, "resource_type": kind}  # type: ignore[attr-defined]
            for key, value in found.items()
        ]

    TaggedEC2Resource.get_tags = tags  # type: ignore[method-assign]
