"""The distribution: what it is called, what it needs, which commands it brings."""

import pathlib
import re

from setuptools import find_packages, setup

# Where there are wheels of the fast engines for gzip: a client never needs a compiler. Elsewhere
# zlib does their work.
HAS_WHEELS = (
    "implementation_name == 'cpython' and python_version < '3.15' and"
    " (sys_platform == 'linux' and (platform_machine == 'x86_64' or platform_machine == 'aarch64')"
    " or sys_platform == 'darwin' and"
    " (platform_machine == 'x86_64' or platform_machine == 'arm64'))"
)

HERE = pathlib.Path(__file__).parent


def version():
    """Returns the version, read and not imported: what it needs may not be there yet."""
    text = (HERE / 'filetracker' / '__init__.py').read_text('utf-8')
    return re.search(r"^__version__ = '([^']+)'$", text, re.MULTILINE).group(1)


setup(
    name='filetracker',
    version=version(),
    description='Versioned files for the machines of one cluster, stored once and verified',
    long_description=(HERE / 'README.md').read_text('utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    classifiers=[
        'Intended Audience :: Developers',
        'Intended Audience :: System Administrators',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
    ],
    packages=find_packages(include=['filetracker', 'filetracker.*']),
    package_data={'filetracker.servers.page': ['templates/*']},
    python_requires='>=3.10',
    install_requires=[
        'isal>=1.7; ' + HAS_WHEELS,
        'requests>=2.25',
        'six>=1.12',
        'tqdm>=4.60',
        'zlib-ng>=0.5; ' + HAS_WHEELS,
    ],
    extras_require={
        'completion': [
            'shtab>=1.5',
        ],
        'server': [
            'bsddb3>=6.2.7',
            'gevent>=22.10',
            'greenlet>=1.1',
            'jinja2>=3.1',
            'prometheus_client>=0.16',
            'tomlkit>=0.12',
        ],
        'benchmarks': [
            'matplotlib>=3.6',
            'psutil>=6.0',
        ],
        'tests': [
            'html5lib>=1.1',
            'hypothesis>=6.80',
            # A new ruff formats, and a new mypy finds, something else.
            'mypy==2.4.*',
            # It drives the browser of the system.
            'playwright>=1.49',
            'psutil>=6.0',
            'pytest>=9',
            'pytest-timeout>=2.4',
            'ruff==0.17.*',
            'shtab>=1.5',
            'trustme>=1.1',
            'types-gevent',
            'types-six',
        ],
    },
    entry_points={
        'console_scripts': [
            'filetracker = filetracker.client.shell:main',
            'filetracker-server = filetracker.servers.run:main',
            'filetracker-migrate = filetracker.scripts.migrate:main',
            'filetracker-recover = filetracker.scripts.recover:main',
            'filetracker-backup = filetracker.scripts.backup:main',
            'filetracker-check = filetracker.scripts.check:main',
            'filetracker-cache-cleaner = filetracker.scripts.cachecleaner:main',
        ],
    },
)
