"""Numbers that papers printed, with what was different there: rows to stand beside ours, never mixed with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One table of a paper: `columns` are the catalogue's names of its metrics, `rows` values by method in that order."""

    source: str
    task: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]
    differs: str


_SAME_ID = Published(
    source="StyleHEAT (Yin et al., ECCV 2022), Table 1, same identity",
    task="same-id",
    columns=("fid", "lpips", "psnr", "ssim", "csim", "aed", "apd"),
    rows={
        "X2Face": (44.32, 0.2687, 31.09, 0.5926, 0.6965, 0.1680, 0.03719),
        "Bi-layer": (118.46, 0.5758, 28.23, 0.2906, 0.3033, 0.1219, 0.01322),
        "FOMM": (29.17, 0.2036, 31.12, 0.6353, 0.8121, 0.0946, 0.00914),
        "PIRenderer": (27.14, 0.2252, 30.96, 0.6028, 0.7797, 0.1073, 0.01459),
        "StyleHEAT": (18.02, 0.1729, 31.21, 0.6019, 0.7475, 0.1151, 0.01664),
    },
    differs="20 HDTF clips of about 10,000 frames, in their own crop; the source frame, the LPIPS network and how PSNR and "
    "SSIM were averaged are not stated (31 dB at an SSIM of 0.6 is not what luma SSIM and RGB PSNR of one picture give); "
    "here LPIPS is by AlexNet, AED and APD by Deep3D where its weights are installed",
)

_CROSS_ID = Published(
    source="StyleHEAT (Yin et al., ECCV 2022), Table 1, cross identity",
    task="cross-id",
    columns=("fid", "csim", "aed", "apd"),
    rows={
        "X2Face": (128.19, 0.4449, 0.3415, 0.05156),
        "Bi-layer": (189.64, 0.2252, 0.2654, 0.02054),
        "FOMM": (108.93, 0.4517, 0.2692, 0.02576),
        "PIRenderer": (108.56, 0.4812, 0.2554, 0.02962),
        "StyleHEAT": (91.28, 0.4890, 0.2630, 0.03484),
    },
    differs="1,000 CelebA-HQ portraits driven by HDTF clips; AED and APD by Deep3D, as `aed-deep3d` and `apd-deep3d` here",
)

_SPEECH = ("ssim", "cpbd", "f-lmd", "m-lmd", "sync-conf")
_SPEECH_DIFFERS = (
    "driven by speech, style clip and the real pose, 256 px crops, F-LMD and M-LMD on 68 dlib points, SyncNet's own face "
    "crops; rows of clips that are driven by video are not the same task"
)
_MEAD = Published(
    source="StyleTalk (Ma et al., AAAI 2023), Table 1, MEAD",
    task="dub",
    columns=_SPEECH,
    rows={
        "MakeItTalk": (0.725, 0.106, 3.969, 5.324, 2.104),
        "Wav2Lip": (0.795, 0.178, 2.718, 4.052, 5.257),
        "PC-AVS": (0.504, 0.071, 5.828, 4.970, 2.183),
        "AVCT": (0.832, 0.139, 2.923, 5.520, 2.525),
        "GC-AVT": (0.340, 0.142, 8.039, 7.103, 2.417),
        "EAMM": (0.397, 0.084, 6.698, 6.478, 1.405),
        "real clips": (1, 0.222, 0, 0, 4.131),
        "StyleTalk": (0.837, 0.164, 2.122, 3.249, 3.474),
    },
    differs=_SPEECH_DIFFERS,
)
_HDTF = Published(
    source="StyleTalk (Ma et al., AAAI 2023), Table 1, HDTF",
    task="dub",
    columns=_SPEECH,
    rows={
        "MakeItTalk": (0.593, 0.248, 5.084, 4.447, 2.563),
        "Wav2Lip": (0.618, 0.299, 4.544, 3.630, 3.072),
        "PC-AVS": (0.422, 0.132, 10.506, 3.931, 2.701),
        "AVCT": (0.755, 0.233, 2.733, 3.610, 3.147),
        "GC-AVT": (0.337, 0.296, 10.537, 6.206, 2.772),
        "EAMM": (0.387, 0.144, 7.031, 6.857, 1.799),
        "real clips": (1, 0.307, 0, 0, 3.961),
        "StyleTalk": (0.812, 0.302, 1.941, 2.412, 3.165),
    },
    differs=_SPEECH_DIFFERS,
)

TABLES = (_SAME_ID, _CROSS_ID, _MEAD, _HDTF)
BESIDE = {"same-id": (_SAME_ID, _HDTF), "cross-id": (_CROSS_ID,), "dub": (_MEAD, _HDTF)}
"""Tables that stand beside each task's own. StyleTalk's HDTF rows stand beside `same-id` for their landmark distances."""
