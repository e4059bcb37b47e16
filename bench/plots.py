"""What is drawn of a run: the promises, and for each subject its figures and its latencies."""

import re

from svg import BAD, GOOD, INK, OURS, THEIRS, Axis, Drawing

LEFT, RIGHT, ROW, TOP, FOOT = 420, 40, 40, 60, 50
WIDTH = 1000


def of_rows(rows):
    """name -> drawing."""
    drawn = {}
    promised = [row for row in rows if row["budget"] is not None]
    if promised:
        drawn["promises"] = promises(promised)
    for name, group in by_subject(rows).items():
        drawn[name] = figures(name, group)
        timed = [row for row in group if row.get("latency_us")]
        if timed:
            drawn[f"{name}-latency"] = latencies(name, timed)
    return drawn


def by_subject(rows):
    """Rows that share an axis: of one subject, in one unit."""
    groups = {}
    for row in rows:
        groups.setdefault((row.get("subject", "rows"), row["unit"]), []).append(row)
    subjects = [subject for subject, _ in groups]
    return {subject if subjects.count(subject) == 1 else file_name(f"{subject} {unit}"): group
            for (subject, unit), group in groups.items()}


def file_name(words):
    return re.sub(r"[^a-z0-9]+", "-", words.replace("µ", "u")).strip("-")


def frame(title, rows, values, unit, legend):
    """A drawing with a line of words for each row, and the axis, by logarithms, of their values."""
    bottom = TOP + ROW * len(rows)
    drawing = Drawing(WIDTH, bottom + FOOT, title)
    drawing.legend(44, legend, LEFT)
    axis = Axis(values, LEFT, WIDTH - RIGHT, log=True)
    drawing.x_axis(axis, bottom, TOP, unit)
    for i, row in enumerate(rows):
        drawing.text(LEFT - 12, TOP + ROW * i + 17, row["work"], anchor="end")
        drawing.text(LEFT - 12, TOP + ROW * i + 31, f"{row.get('by', 'keyclave')} against {row['against']}", size=9.5,
                     anchor="end", fill="#666666")
    return drawing, axis


def promises(rows):
    """Each row's ratio in parts of its budget: to the right of 1 it is met. A cost counts upside down."""
    def part(row, ratio):
        return row["budget"] / ratio if row.get("cost") else ratio / row["budget"]
    # A ratio may have been rounded to nothing.
    parts = [[part(row, max(ratio, 1e-6)) for ratio in (row["ratio"], *row["spread"])] for row in rows]
    name = "ratio, in parts of what is promised (of costs: promised ÷ ratio), logarithmic"
    drawing, axis = frame("What is promised", rows, [1, *sum(parts, [])], name, {"met": GOOD, "not met": BAD})
    for i, (row, (median, low, high)) in enumerate(zip(rows, parts)):
        y = TOP + ROW * i
        drawing.rect(axis.place(1), y + 10, axis.place(median) - axis.place(1), 18, GOOD if row["met"] else BAD)
        drawing.line([(axis.place(low), y + 19), (axis.place(high), y + 19)], INK, 1.5)
    drawing.line([(axis.place(1), TOP), (axis.place(1), TOP + ROW * len(rows))], INK, 1.5)
    return drawing.finish()


def figures(name, rows):
    values = [row[side] for row in rows for side in ("ours", "theirs")]
    drawing, axis = frame(name, rows, values, f"{rows[0]['unit']}, logarithmic", {"ours": OURS, "theirs": THEIRS})
    for i, row in enumerate(rows):
        for place, (side, colour) in enumerate((("ours", OURS), ("theirs", THEIRS))):
            y = TOP + ROW * i + 7 + 13 * place
            drawing.rect(axis.begin, y, axis.place(row[side]) - axis.begin, 11, colour)
    return drawing.finish()


def latencies(name, rows):
    """Three dots a side: p50, p99, p99.9."""
    values = [value for row in rows for side in row["latency_us"].values() for value in side.values()]
    title = f"{name}: one operation's p50, p99 and p99.9 (big dot to small)"
    drawing, axis = frame(title, rows, values, "µs, logarithmic", {"ours": OURS, "theirs": THEIRS})
    for i, row in enumerate(rows):
        for place, (side, colour) in enumerate((("ours", OURS), ("theirs", THEIRS))):
            y = TOP + ROW * i + 13 + 13 * place
            xs = [axis.place(value) for value in row["latency_us"][side].values()]
            drawing.line([(xs[0], y), (xs[-1], y)], colour, 1.5)
            for radius, x in zip((5, 4, 3), xs):
                drawing.dot(x, y, radius, colour)
    return drawing.finish()


def over_time(title, panels, minutes):
    """Panels above one another over the same time: (name of the axis, logarithmic, {line: values})."""
    colours = (OURS, BAD, GOOD, THEIRS, INK)
    height = 170
    drawing = Drawing(WIDTH, TOP + len(panels) * (height + 40) + 20, title)
    time = Axis([0, *minutes], 90, WIDTH - RIGHT, zero=True)
    for i, (name, log, lines) in enumerate(panels):
        top = TOP + i * (height + 40)
        axis = Axis([value for line in lines.values() for value in line], top + height, top, log=log, zero=not log)
        drawing.x_axis(time, top + height, top, "minutes" if i + 1 == len(panels) else "")
        drawing.y_axis(axis, time.begin, time.end, name)
        drawing.legend(top - 6, dict(zip(lines, colours)), time.begin + 10)
        for values, colour in zip(lines.values(), colours):
            drawing.line([(time.place(x), axis.place(y)) for x, y in zip(minutes, values)], colour, 1.8)
    return drawing.finish()
