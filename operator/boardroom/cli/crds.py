"""`boardroom crds`: write the CustomResourceDefinitions."""

from pathlib import Path

import click

from boardroom.api.generate import charts
from boardroom.api.generate import crds as definitions
from boardroom.api.generate.reference import with_reference


@click.command(short_help="Write the CustomResourceDefinitions.")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
def crds(directory: Path | None) -> None:
    """Write the CRDs to DIRECTORY, one file each, or all to standard output.

    In a checkout this also writes the generated parts of charts/ and docs/reference/ beside DIRECTORY.
    """
    rendered = {name: definitions.render(crd) for name, crd in definitions.crds().items()}
    if directory is None:
        click.echo("---\n".join(rendered.values()), nl=False)
        return
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in rendered.items():
        (directory / name).write_text(text, encoding="utf-8")
        click.echo(f"wrote {directory / name}", err=True)
    docs = directory.absolute().parent / "docs"
    for name, crd in definitions.crds().items():
        page = docs / definitions.page(crd)
        if page.is_file():
            page.write_text(with_reference(page.read_text(encoding="utf-8"), crd), encoding="utf-8")
            click.echo(f"wrote {page}, the field reference of {name}", err=True)
    folder = directory.absolute().parent / "charts"
    if folder.is_dir():
        for name, text in charts.generated().items():
            (folder / name).write_text(text, encoding="utf-8")
            click.echo(f"wrote {folder / name}", err=True)
