"""GIMP starts, queries its plug-ins, and exits."""


def main(out):
    return {}
