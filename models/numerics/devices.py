"""Which processor torch works on: the GPU where there is one, or what the operator names (KIEL_DEVICE).

Numbers differ in their last digits between classes of device, so each chunk and each training records its class.
"""

import torch

from catalog.errors import UsageError

CPU = torch.device("cpu")


def chosen_device(wanted: str) -> torch.device:
    """The device of ``auto`` (a GPU where torch sees one), ``cpu`` or ``cuda``. UsageError where a GPU is asked for and there is none."""
    if wanted == "cpu":
        return CPU
    if wanted not in ("auto", "cuda"):
        raise UsageError(f"there is no device {wanted!r}: KIEL_DEVICE is auto, cpu or cuda.")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if wanted == "cuda":
        raise UsageError("KIEL_DEVICE asks for a GPU, and torch sees none here: install torch's CUDA build, or set it to auto.")
    return CPU


def device_class(device: torch.device) -> str:
    """What is recorded of a device: cpu, or the GPU's name."""
    return "cpu" if device.type == "cpu" else f"{device.type} {torch.cuda.get_device_name(device)}"
