"""A page of small line plots as SVG, written by hand: no package draws for us."""

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 250, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 26, 40


@dataclass(frozen=True)
class Panel:
    """A plot: points (x, measured, predicted), both from zero."""

    title: str
    x: str
    points: list


def page(rows):
    """An SVG of rows of panels: measured as a line with dots, predicted dashed."""
    width, height = WIDTH * max(len(row) for row in rows), HEIGHT * len(rows) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        '<path d="M46 12h24" stroke="#1f5fa8" stroke-width="2"/><text x="74" y="16">measured</text>',
        '<path d="M146 12h24" stroke="#b3541e" stroke-width="2" stroke-dasharray="5 3"/><text x="174" y="16">predicted by the arithmetic</text>',
    ]
    for r, row in enumerate(rows):
        for c, panel in enumerate(row):
            parts.append(f'<g transform="translate({c * WIDTH} {r * HEIGHT + 24})">{draw(panel)}</g>')
    return "\n".join(parts) + "\n</svg>\n"


def tick(most):
    """A round step that reaches `most` in at most five."""
    power = 10.0 ** math.floor(math.log10(most / 5))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit * 5 >= most)


def draw(panel):
    """One panel."""
    most_x = max(x for x, _, _ in panel.points)
    most_y = max(max(a, b) for _, a, b in panel.points)
    step = tick(most_y)
    marks = [i * step for i in range(math.ceil(most_y / step) + 1)]
    most_y = marks[-1]
    at_x = lambda x: LEFT + x / most_x * (WIDTH - LEFT - RIGHT)
    at_y = lambda y: HEIGHT - BOTTOM - y / most_y * (HEIGHT - TOP - BOTTOM)
    parts = [f'<text x="{WIDTH / 2}" y="16" text-anchor="middle" font-weight="bold">{escape(panel.title)}</text>']
    parts.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="black"/>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(panel.x)}</text>')
    for x, _, _ in panel.points:
        parts.append(f'<text x="{at_x(x):.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{x:g}</text>')
    for y in marks:
        parts.append(f'<text x="{LEFT - 5}" y="{at_y(y) + 3:.1f}" text-anchor="end">{y:g}</text>')
    for which, style in ((2, 'stroke="#b3541e" stroke-dasharray="5 3"'), (1, 'stroke="#1f5fa8"')):
        line = " ".join(f"{at_x(point[0]):.1f},{at_y(point[which]):.1f}" for point in panel.points)
        parts.append(f'<polyline points="{line}" fill="none" stroke-width="2" {style}/>')
    parts += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3" fill="#1f5fa8"/>' for x, y, _ in panel.points]
    return "".join(parts)
