"""Package folders are found, not listed: a new plugin can not be forgotten in the wheel."""

from setuptools import find_packages, setup

FOLDERS = {"mtlsearch_plugins": "plugins", "mtlsearch_search_spaces": "search_spaces"}

packages = find_packages(include=["mtlsearch", "mtlsearch.*"])
for package, folder in FOLDERS.items():
    packages += [package, *(f"{package}.{name}" for name in find_packages(folder))]

setup(
    packages=packages,
    package_dir=FOLDERS,
    package_data={"": ["py.typed", "*.yaml", "*.j2"]},
)
