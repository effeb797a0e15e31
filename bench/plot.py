"""Plain SVG: bars and lines that can be read on light and on dark pages."""
from xml.sax.saxutils import escape

COLORS = {"ours": "#2f81f7", "Kubo": "#d4a72c", "machine": "#8b949e", "second": "#3fb950"}
STYLE = """<style>
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 14px; }
  .faint { fill: #656d76; }
  .page { fill: #ffffff; }
  .grid { stroke: #d0d7de; stroke-width: 1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .faint { fill: #9198a1; }
    .page { fill: #0d1117; }
    .grid { stroke: #30363d; }
  }
</style>"""
WIDTH, LEFT, RIGHT = 820, 190, 90


class Picture:
    def __init__(self, title, height):
        self.height, self.parts = height, []
        self.text(16, 24, title, "title")

    def text(self, x, y, words, style="", anchor="start"):
        self.parts.append('<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' % (x, y, style, anchor, escape(words)))

    def box(self, x, y, width, height, color):
        self.parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s" rx="2"/>' % (x, y, max(width, 1), height, color))

    def line(self, x1, y1, x2, y2):
        self.parts.append('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="grid"/>' % (x1, y1, x2, y2))

    def path(self, points, color, dashed=False):
        self.parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"%s/>' % (" ".join("%.1f,%.1f" % p for p in points), color, ' stroke-dasharray="5 4"' if dashed else ""))
        self.parts += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (x, y, color) for x, y in points]

    def legend(self, entries):
        x = LEFT
        for name, color in entries:
            self.box(x, 34, 10, 10, color)
            self.text(x + 15, 43, name, "faint")
            x += 35 + 7 * len(name)

    def svg(self):
        return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">\n%s\n<rect class="page" width="100%%" height="100%%"/>\n%s\n</svg>\n' % (
            WIDTH, self.height, WIDTH, self.height, STYLE, "\n".join(self.parts))


def bars(title, rows, legend, form="%.2f", line=None):
    """rows: (name, [(color, value, remark)]); one group of bars a row, all on one scale from zero."""
    rows = [(name, [bar for bar in some if bar[1] is not None]) for name, some in rows]
    rows = [row for row in rows if row[1]]
    if not rows:
        return None
    most = max(max(bar[1] for bar in some) for _, some in rows)
    picture = Picture(title, 62 + sum(14 * len(some) + 12 for _, some in rows) + 14)
    picture.legend(legend)
    scale, y = (WIDTH - LEFT - RIGHT) / most, 58
    if line and line[0] <= most:
        picture.line(LEFT + line[0] * scale, 50, LEFT + line[0] * scale, picture.height - 12)
        picture.text(LEFT + line[0] * scale + 4, picture.height - 4, line[1], "faint")
    for name, some in rows:
        picture.text(LEFT - 10, y + 7 * len(some) + 3, name, anchor="end")
        for color, value, remark in some:
            picture.box(LEFT, y, value * scale, 11, COLORS[color])
            picture.text(LEFT + value * scale + 6, y + 10, form % value + (" " + remark if remark else ""), "faint")
            y += 14
        y += 12
    return picture.svg()


def lines(title, xs, series, unit):
    """xs: labels, evenly spaced (powers of ten); series: (name, color, dashed, values), from zero up."""
    values = [v for _, _, _, some in series for v in some if v is not None]
    if not values:
        return None
    most, top, bottom = max(values) * 1.1, 60, 300
    picture = Picture(title, 340)
    picture.legend([(name, COLORS[color]) for name, color, _, _ in series])
    step = (WIDTH - LEFT - RIGHT) / max(len(xs) - 1, 1)
    for i in range(5):
        y = bottom - (bottom - top) * i / 4
        picture.line(LEFT, y, WIDTH - RIGHT, y)
        picture.text(LEFT - 8, y + 4, "%.3g %s" % (most * i / 4, unit), "faint", "end")
    for i, label in enumerate(xs):
        picture.text(LEFT + i * step, bottom + 20, label, "faint", "middle")
    for _, color, dashed, some in series:
        picture.path([(LEFT + i * step, bottom - (bottom - top) * v / most) for i, v in enumerate(some) if v is not None], COLORS[color], dashed)
    return picture.svg()
