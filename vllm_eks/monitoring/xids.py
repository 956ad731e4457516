"""The NVIDIA driver's error codes (XID) that need a reset GPU or another machine."""

from collections.abc import Mapping

XIDS: Mapping[int, str] = {
    46: "the GPU stopped processing",
    48: "double-bit ECC error",
    54: "auxiliary power is not connected",
    62: "the GPU's micro-controller halted",
    63: "a row of memory was remapped",
    64: "a row of memory could not be remapped",
    74: "NVLink error",
    79: "the GPU fell off the bus",
    95: "uncontained memory error",
    109: "context switch timeout",
    110: "security fault",
    119: "timeout of a call to the GPU's system processor",
    120: "error of the GPU's system processor",
    136: "link training failed",
    140: "unrecovered ECC error",
    142: "video encoder error",
    143: "initialization error",
    151: "key rotation error",
    155: "NVLink error that software defined",
    156: "a resource was retired",
    158: "fatal timeout of the GPU",
}
"""The codes that the EKS node monitoring agent v1.7.0 calls fatal (monitors/nvidia/dcgm/dcgm_policies.go,
WellKnownXidCodes, with NVIDIA's advice for each): it sets AcceleratedHardwareReady to False, and EKS repairs the node
after 10 minutes. NVIDIA's catalogue asks for a reset of the GPU or more for each, except for 63, which EC2 treats as
the sign of a GPU to replace. The others (13, 31, 43, 45, 94 and so on) come from the program or end with it; the
supervisor restarts the group, and no person has to do anything. Dashboards show all of them."""

PATTERN = "|".join(map(str, XIDS))
"""A regular expression of the codes."""
