"""Package folders are found, not listed: a new plugin can not be forgotten in the wheel."""

import warnings

from setuptools import find_packages, setup

# An editable installation maps folders to package names, as below. setuptools notes each time that
# a folder of the working directory can hide such a package, and pip prints the note as a warning.
warnings.filterwarnings("ignore", message="Editable installation")

FOLDERS = {"mtlsearch_plugins": "plugins", "mtlsearch_search_spaces": "search_spaces"}

packages = find_packages(include=["mtlsearch", "mtlsearch.*"])
for package, folder in FOLDERS.items():
    packages += [package, *(f"{package}.{name}" for name in find_packages(folder))]

setup(
    packages=packages,
    package_dir=FOLDERS,
    package_data={"": ["py.typed", "*.yaml", "*.j2", "*.css", "*.js"]},
)
