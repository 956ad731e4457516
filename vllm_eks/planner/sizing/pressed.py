"""The names of what limits a load."""

from vllm_eks.planner.sizing.replica import Pressed

PRESSED: dict[Pressed, str] = {
    "kv": "KV cache",
    "seqs": "maxNumSeqs",
    "bandwidth": "bandwidth",
    "flops": "flops",
    "link": "link",
    "overhead": "overhead",
}
