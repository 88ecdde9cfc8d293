"""How Sphinx builds the documentation: `make docs` (docs/decisions/0045)."""

from importlib.metadata import version as version_of

project = "Inpaint (StyleGAN)"
author = copyright = "The authors of Inpaint (StyleGAN)"  # noqa: A001 (Sphinx reads it)
version = release = version_of("inpaint-stylegan")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["schemas"]

# Pages are Markdown that GitHub shows as well: anchors are GitHub's.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sourcelink = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
default_role = "code"  # what docstrings write in single backticks
napoleon_google_docstring = True
napoleon_numpy_docstring = False
copybutton_prompt_text = "$ "
