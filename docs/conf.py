"""The documentation site: `make docs` builds it. Everything that it shows is in the repository; nothing comes from a network."""

import os
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "lecture")]
# Lessons run in a temporary folder, where what they train does not stay, and find their helpers on this path.
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE / "lecture"), *filter(None, [os.environ.get("PYTHONPATH")])])

import fittingroom  # noqa: E402

project = "fittingroom"
author = "the authors of fittingroom"
release = version = fittingroom.__version__
html_title = "fittingroom"

extensions = ["myst_nb", "sphinx.ext.autodoc", "site_parts", "downloads"]
# OWNER/NAME on GitHub, if its branch gh-pages holds this site: lessons then link to Colab, and their notebooks clone it.
repository = ""
root_doc = "index"
exclude_patterns = [
    "conf.py",
    "downloads.py",
    "site_parts.py",
    "lecture/lesson/**",
    "notebooks/*.py",
    "**/.ipynb_checkpoints",
    "**/runs/**",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
nb_custom_formats = {".py": ["jupytext.reads", {"fmt": "py:percent"}]}

myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
# Outputs are kept for a lesson's own code. What draws the pictures is in other files, so a change there begins a new cache.
drawn_by = b"".join(path.read_bytes() for path in sorted((HERE / "lecture" / "lesson").glob("*.*")))
nb_execution_cache_path = str(HERE.parent / "build" / "lecture-cache" / f"{zlib.crc32(drawn_by):08x}")
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_excludepatterns = ["notebooks/*"]  # it takes seven minutes; lesson 8 shows the same from records
nb_merge_streams = True
nb_number_source_lines = False

autodoc_typehints = "none"
autodoc_member_order = "bysource"

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_math_renderer = "mathml"
html_favicon = "_static/favicon.svg"
# The colours of these two have enough contrast. Those of most styles have not.
pygments_style = "a11y-light"
pygments_dark_style = "a11y-dark"
