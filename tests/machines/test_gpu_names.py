"""Which data sheet a GPU belongs to, by the names that drivers really give, against the data sheets that we have."""

import pytest

from machines.demo import gpu_specs
from machines.gpu_names import alike, candidates, dies, find

SHEETS = list(gpu_specs.read())

#: What nvidia-smi and rocm-smi print, with the memory in MiB; and the data sheet, or None where we have none.
SEEN = """
NVIDIA H100 80GB HBM3 | 81559 | h100-sxm
NVIDIA H100 PCIe | 81559 | h100-pcie
NVIDIA H100 NVL | 95830 | h100-nvl
NVIDIA H200 | 143771 | h200-sxm
NVIDIA H200 NVL | 143771 | h200-nvl
NVIDIA GH200 480GB | 97871 | gh200-96gb
NVIDIA GH200 144G HBM3e | 147456 | None
NVIDIA B200 | 183359 | b200
NVIDIA B300 SXM6 AC | 275040 | b300
NVIDIA GB200 | 189471 | gb200
NVIDIA GB300 | 284208 | gb300
NVIDIA A100-SXM4-40GB | 40960 | a100-sxm4-40gb
NVIDIA A100-SXM4-80GB | 81920 | a100-sxm4-80gb
A100-SXM4-40GB | 40536 | a100-sxm4-40gb
NVIDIA A100 80GB PCIe | 81920 | a100-pcie-80gb
NVIDIA A100-PCIE-40GB | 40960 | a100-pcie-40gb
NVIDIA A100-SXM-64GB | 65536 | None
NVIDIA A100 80GB PCIe MIG 1g.10gb | 9728 | None
NVIDIA A800 80GB PCIe | 81920 | a800-pcie-80gb
NVIDIA A800-SXM4-80GB | 81920 | None
NVIDIA H800 | 81559 | None
NVIDIA H20 | 97871 | None
NVIDIA L4 | 23034 | l4
NVIDIA L40 | 46068 | l40
NVIDIA L40S | 46068 | l40s
NVIDIA A10 | 23028 | a10
NVIDIA A10G | 23028 | a10g
NVIDIA A16 | 15356 | a16
NVIDIA A2 | 15356 | a2
NVIDIA A30 | 24576 | a30
NVIDIA A40 | 46068 | a40
NVIDIA A40-48Q | 49152 | None
Tesla T4 | 15360 | t4
NVIDIA T4G | 15360 | t4g
Tesla V100-SXM2-16GB | 16160 | v100-sxm2-16gb
Tesla V100-SXM2-32GB | 32510 | v100-sxm2-32gb
Tesla V100-SXM3-32GB | 32510 | v100-sxm2-32gb
Tesla V100-PCIE-16GB | 16160 | v100-pcie-16gb
Tesla V100-PCIE-32GB | 32510 | v100-pcie-32gb
Tesla P100-PCIE-16GB | 16280 | p100-pcie
Tesla P100-SXM2-16GB | 16280 | p100-sxm2
Tesla P100-PCIE-12GB | 12198 | None
Tesla P40 | 22919 | p40
Tesla P4 | 7611 | p4
Tesla K80 | 11441 | k80
Tesla M60 | 8129 | m60
NVIDIA GeForce RTX 5090 | 32607 | rtx-5090
NVIDIA GeForce RTX 5060 Ti | 16311 | rtx-5060-ti-16gb
NVIDIA GeForce RTX 4090 | 24564 | rtx-4090
NVIDIA GeForce RTX 4090 D | 24564 | rtx-4090-d
NVIDIA GeForce RTX 4090 Laptop GPU | 16376 | None
NVIDIA GeForce RTX 4080 SUPER | 16376 | rtx-4080-super
NVIDIA GeForce RTX 4070 Ti SUPER | 16376 | rtx-4070-ti-super
NVIDIA GeForce RTX 4060 Ti | 8188 | rtx-4060-ti-8gb
NVIDIA GeForce RTX 4060 Ti | 16380 | rtx-4060-ti-16gb
NVIDIA GeForce RTX 3090 | 24576 | rtx-3090
NVIDIA GeForce RTX 3090 Ti | 24564 | rtx-3090-ti
NVIDIA GeForce RTX 3080 | 10240 | rtx-3080
NVIDIA GeForce RTX 3080 | 12288 | rtx-3080-12gb
NVIDIA GeForce RTX 3060 | 12288 | rtx-3060
NVIDIA GeForce RTX 3060 | 8192 | None
NVIDIA GeForce RTX 2060 | 6144 | rtx-2060
NVIDIA GeForce RTX 2060 | 12288 | rtx-2060-12gb
NVIDIA GeForce RTX 2080 Ti | 11264 | rtx-2080-ti
NVIDIA GeForce GTX 1660 SUPER | 6144 | gtx-1660-super
NVIDIA GeForce GTX 1080 Ti | 11264 | gtx-1080-ti
NVIDIA GeForce GTX 1070 | 8192 | gtx-1070
NVIDIA TITAN V | 12288 | titan-v
NVIDIA TITAN Xp | 12288 | titan-xp
NVIDIA TITAN RTX | 24576 | titan-rtx
Quadro RTX 4000 | 8192 | quadro-rtx-4000
Quadro RTX 6000 | 24576 | quadro-rtx-6000
Quadro RTX 8000 | 46080 | quadro-rtx-8000
Quadro P4000 | 8192 | quadro-p4000
NVIDIA RTX A2000 12GB | 12282 | rtx-a2000-12gb
NVIDIA RTX A2000 | 6138 | rtx-a2000-6gb
NVIDIA RTX A4000 | 16376 | rtx-a4000
NVIDIA RTX A5000 | 24564 | rtx-a5000
NVIDIA RTX A6000 | 49140 | rtx-a6000
NVIDIA RTX 2000 Ada Generation | 16380 | rtx-2000-ada
NVIDIA RTX 4000 Ada Generation | 20475 | rtx-4000-ada
NVIDIA RTX 4000 SFF Ada Generation | 20475 | rtx-4000-sff-ada
NVIDIA RTX 5000 Ada Generation | 32760 | rtx-5000-ada
NVIDIA RTX 6000 Ada Generation | 49140 | rtx-6000-ada
NVIDIA RTX PRO 6000 Blackwell Workstation Edition | 97887 | rtx-pro-6000-ws
NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition | 97887 | rtx-pro-6000-maxq
NVIDIA RTX PRO 6000 Blackwell Server Edition | 97887 | rtx-pro-6000-server
NVIDIA RTX PRO 5000 Blackwell | 48935 | rtx-pro-5000
NVIDIA RTX PRO 4500 Blackwell | 32623 | rtx-pro-4500
AMD Instinct MI300X OAM | 196592 | mi300x
AMD Instinct MI300X | 196592 | mi300x
AMD Instinct MI300X VF | 196592 | None
AMD Instinct MI325X | 262128 | mi325x
Instinct MI210 | 65520 | mi210
AMD INSTINCT MI250 (MCM) OAM AC MBA | 65520 | mi250
AMD Instinct MI250X / MI250 | 65520 | mi250
Aldebaran/MI200 [Instinct MI250X/MI250] | 65520 | mi250
Arcturus GL-XL [Instinct MI100] | 32752 | mi100
AMD Radeon RX 7900 XTX | 24560 | rx-7900-xtx
Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M] | 24560 | rx-7900-xtx
Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M] | 20464 | rx-7900-xt
AMD Radeon PRO W7900 | 46064 | radeon-pro-w7900
AMD Radeon AI PRO R9700 | 32624 | radeon-ai-pro-r9700
AMD Radeon RX 6900 XT | 16368 | rx-6900-xt
NVIDIA Graphics Device | 97887 | None
"""


def seen() -> list[tuple[str, int, str]]:
    rows = [row.split(" | ") for row in SEEN.split("\n") if row]
    return [(name, int(memory), slug) for name, memory, slug in rows]


@pytest.mark.parametrize(("name", "memory_mb", "slug"), seen())
def test_a_drivers_name_finds_its_data_sheet(name, memory_mb, slug):
    found = find(name, memory_mb, SHEETS)
    assert (found.slug if found else "None") == slug


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.slug)
def test_every_data_sheet_is_found_by_each_of_its_own_names(sheet):
    shown = sheet.memory_gb * 1024 // dies(sheet)
    for name in (sheet.name, *sheet.aliases):
        assert sheet in candidates(name, shown, SHEETS), name


def test_no_two_data_sheets_share_a_name_and_an_amount_of_memory():
    """Only the two MI250, which the driver does not tell apart either, and what differs by its form alone."""
    for sheet in SHEETS:
        for name in (sheet.name, *sheet.aliases):
            others = [other.slug for other in candidates(name, sheet.memory_gb * 1024, SHEETS) if other != sheet]
            assert others == [], (sheet.slug, name, others)


def test_memory_tells_variants_apart():
    assert find("NVIDIA GeForce RTX 3080", 10240, SHEETS).slug == "rtx-3080"
    assert find("NVIDIA GeForce RTX 3080", 12288, SHEETS).slug == "rtx-3080-12gb"
    assert find("NVIDIA A100-SXM4-40GB", 81920, SHEETS).slug == "a100-sxm4-80gb"


def test_a_form_that_only_one_side_names_is_no_difference():
    assert alike("NVIDIA H100 80GB HBM3", "H100 SXM")
    assert not alike("NVIDIA H100 PCIe", "H100 SXM")
    assert not alike("NVIDIA H100 NVL", "H100 SXM5 80GB")


@pytest.mark.parametrize("name", ["", "NVIDIA", "GPU", "[", "]/[", "////", "80GB", "\u200b"])
def test_names_that_say_nothing_find_nothing(name):
    assert find(name, 81559, SHEETS) is None
    assert find(name, None, SHEETS) is None
