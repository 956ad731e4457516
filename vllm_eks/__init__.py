"""Plans how a model is split over GPUs, and shows what `pulumi up` would build."""
