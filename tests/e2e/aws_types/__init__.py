"""Stand-ins for types of pulumi-aws that the lab of the real engine does not have, over an emulated account."""
