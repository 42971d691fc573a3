"""画像命令 `ziliu profile`: prints a dataset's profile, writes its page, and prints thresholds ready to paste."""

from __future__ import annotations

from rich.table import Table

from data_contracts.clean_profiles import PROFILES
from data_contracts.errors import ConfigError
from data_contracts.reasons import sentence
from deployments.display import screen
from deployments.outcome import explained
from deployments.wording import both, language
from tasks.portrait import Profile, profile
from tasks.store import Store


def show_profile(root: str, wanted: str, keep: float, name: str) -> int:
    """Profile a dataset; its page lies under STORE/profiles. Exit code 0, or that of what went wrong."""
    with explained() as outcome:
        from tasks.reporting.profile_page import page, proposal  # drawing is slow to import

        if name and name not in PROFILES:
            raise ConfigError(f"--profile {name}: {both('没有这个方案', 'no such profile')}; {', '.join(PROFILES)}")
        store = Store(root)
        found = profile(store, wanted, keep, name or None)
        screen.print(
            f"[bold]{found.dataset}[/bold]  {both('行', 'rows')} {found.rows:,} / {found.rows_in_all:,} · "
            f"{both('方案', 'profile')} {found.config.profile} · {both('保留', 'kept')} {found.kept:.4f}"
        )
        screen.print(_rules(found))
        screen.print(_quantiles(found))
        where = f"profiles/{found.dataset.replace('/', '-')}.html"
        store.folder.replace(where, page(found).encode())
        screen.print(f"{both('图', 'plots')}: {store.folder.path(where)}", soft_wrap=True)
        screen.print()
        screen.print(proposal(found), markup=False, highlight=False, soft_wrap=True)
    return outcome.code


def _rules(found: Profile) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(both("原因", "reason"))
    table.add_column(both("拒收", "refused") + " %", justify="right")
    table.add_column(both("仅此", "alone") + " %", justify="right")
    table.add_column("")
    for share in found.refused:
        if share.refused:
            numbers = (f"{100 * share.refused:.3f}", f"{100 * share.alone:.3f}")
            table.add_row(share.reason, *numbers, sentence(share.reason, language()))
    return table


def _quantiles(found: Profile) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for i, title in enumerate(found.quantiles.columns):
        table.add_column(title, justify="right" if i else "left", no_wrap=True)
    for signal, *values in found.quantiles.iter_rows():
        table.add_row(signal, *("-" if v is None else f"{v:.3g}" for v in values))
    return table
