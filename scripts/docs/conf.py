"Settings of Sphinx for scripts/docs/build.py"
import json
from pathlib import Path

from docutils import nodes
from docutils.utils.math import latex2mathml

project = 'hpa_nb'
copyright = '2026 onwards, the hpa_nb developers'
extensions = ['myst_nb', 'sphinx.ext.githubpages']
html_theme = 'furo'
html_title = 'hpa_nb'
html_static_path = ['static']
html_css_files = ['hpa_nb.css']
html_copy_source = html_show_sphinx = False
pygments_style, pygments_dark_style = 'friendly', 'monokai'

nb_execution_mode = 'off'  # the saved outputs are shown
nb_merge_streams = True
nb_render_markdown_format = 'myst'  # for tables
nb_ipywidgets_js = {}  # would come from another host
myst_enable_extensions = ['dollarmath']
html_math_renderer = 'mathml'  # which browsers show themselves; MathJax would come from another host


def _inline(writer, node):
    writer.body.append(latex2mathml.tex2mathml(node.astext()))
    raise nodes.SkipNode


def _block(writer, node):
    writer.body.append(f'<div class="math">{latex2mathml.tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def _link_names(app, doctree, docname):
    "Names of functions and classes in prose become links to their source"
    modules = json.loads((Path(app.srcdir)/'symbols.json').read_text(encoding='utf-8'))
    places = {}  # name -> (module, page) of each
    for module, (page, names) in modules.items():
        for o in names: places.setdefault(o, []).append((module, page))
    for node in list(doctree.findall(nodes.literal)):
        if isinstance(node.parent, (nodes.reference, nodes.title)): continue
        module, _, name = node.astext().removesuffix('()').removeprefix('hpa_nb.').rpartition('.')
        found = [o for o in places.get(name, []) if not module or o[0] == module]
        found = [o for o in found if o[1] == docname] or found
        if len(found) != 1: continue
        module, page = found[0]
        uri = ('' if page == docname else app.builder.get_relative_uri(docname, page)) + f'#{module}.{name}'
        link = nodes.reference('', '', internal=True, refuri=uri)
        node.replace_self(link)
        link += node


def setup(app):
    app.add_html_math_renderer('mathml', (_inline, None), (_block, None))
    app.connect('doctree-resolved', _link_names)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
