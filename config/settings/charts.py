"""Where the third-party charts of a stack come from."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, absent
from config.values import rules


class ChartOverride(Settings):
    """Where one third-party chart comes from, when not from its publisher, and whether it is installed at all."""

    install: bool = Field(
        default=True,
        description="Whether the stack installs the chart. Set `false` where an existing cluster has it already.",
        examples=[False],
    )
    repository: (
        Annotated[str, AfterValidator(rules.chart_repository), InSchema(pattern=f"{rules.CHART_REPOSITORY.pattern}.*")]
        | None
    ) = Field(
        default=None,
        description="The repository of the chart: an https:// index, or the oci:// folder that holds it.",
        examples=["oci://registry.example.com/charts"],
        json_schema_extra=absent("the publisher's repository"),
    )
    version: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="The chart's version, in quotes.",
        examples=["0.18.0"],
        json_schema_extra=absent("the pinned version"),
    )
    path: Annotated[str, AfterValidator(rules.chart_folder)] | None = Field(
        default=None,
        description="The folder of an unpacked chart, in place of `repository` and `version`.",
        examples=["../mirror/lws"],
        json_schema_extra=absent("the chart comes from a repository"),
    )

    def over(self, *, chart: str, repository: str | None, version: str | None) -> dict[str, str | None] | None:
        """Return the chart source to use in place of the publisher's, under the same three names; None: no chart.

        A chart of an OCI registry is named by its whole address (`oci://host/folder/name`), without a
        repository; elsewhere by its name, beside a repository. A local folder has neither.
        """
        if not self.install:
            return None
        if self.path:
            return {"chart": self.path, "repository": None, "version": None}
        name, wanted = chart.rpartition("/")[2], self.version or version
        if self.repository is None:
            return {"chart": chart, "repository": repository, "version": wanted}
        if self.repository.startswith("oci://"):
            return {"chart": f"{self.repository}/{name}", "repository": None, "version": wanted}
        return {"chart": name, "repository": self.repository, "version": wanted}


PUBLISHERS_CHART = absent("the publisher's chart, at the pinned version")


class ChartsSettings(Settings):
    """The third-party charts; many companies mirror them."""

    nvidia_device_plugin: ChartOverride = Field(
        default=ChartOverride(),
        description="The chart of the NVIDIA device plugin.",
        examples=[{"install": False}],
        json_schema_extra=PUBLISHERS_CHART,
    )
    efa_device_plugin: ChartOverride = Field(
        default=ChartOverride(),
        description="The chart of the EFA device plugin, installed where a model sets `efa`.",
        examples=[{"repository": "oci://registry.example.com/charts"}],
        json_schema_extra=PUBLISHERS_CHART,
    )
    leader_worker_set: ChartOverride = Field(
        default=ChartOverride(),
        description="The chart of the LeaderWorkerSet controller.",
        examples=[{"repository": "https://charts.example.com", "version": "0.7.0"}],
        json_schema_extra=PUBLISHERS_CHART,
    )

    @property
    def overrides(self) -> dict[str, Callable[..., dict[str, str | None] | None]]:
        """What each chart's source becomes, by the chart's name."""
        return {name: getattr(self, name).over for name in ChartsSettings.model_fields}
