"""The scripts that run in pods. Those of the model's pods are links: the chart holds the files, so that it stands alone."""
