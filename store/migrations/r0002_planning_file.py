"""Write needs and alert rules to planning.yaml; drop their tables, tokens and the audit trail."""

from pathlib import Path

import sqlalchemy as sa
import yaml
from alembic import context, op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Needs and rules in force go to the file; alerts name their rule in place of its number."""
    connection = op.get_bind()
    needs = _rows(connection, "needs")
    rules = _rows(connection, "alert_rules")
    folder: Path | None = context.config.attributes.get("folder")
    if folder is not None and (needs or rules):
        _write(folder, needs, rules)
    op.drop_table("alerts")
    op.drop_table("alert_rules")
    op.drop_table("needs")
    if connection.dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER IF EXISTS audit_no_{verb}")
    op.drop_table("audit")
    if connection.dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS audit_only_grows()")
    op.drop_table("tokens")
    op.drop_column("rival_forecasts", "author")
    moment = sa.String(27) if connection.dialect.name == "sqlite" else sa.DateTime(timezone=True)
    op.create_table(
        "alerts",
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("rule", "commodity", "destination", "measure")
        ),
        sa.Column("as_of", moment, nullable=False),
        sa.Column("against", moment, nullable=False),
        sa.Column("fired", sa.Boolean, nullable=False),
        sa.Column("period", sa.Date),
        sa.Column("before", sa.Float),
        sa.Column("after", sa.Float),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("evaluated_at", moment, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("delivered_at", moment),
        sa.Column("trouble", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("rule", "as_of", name="pk_alerts"),
    )


def _rows(connection: sa.Connection, table: str) -> list[dict[str, object]]:
    """Rows of a table that had not ended."""
    query = sa.text(f"SELECT * FROM {table} WHERE ended_at IS NULL ORDER BY id")  # noqa: S608
    return [dict(row._mapping) for row in connection.execute(query)]


def _write(folder: Path, needs: list[dict[str, object]], rules: list[dict[str, object]]) -> None:
    """Write what was recorded as ``planning.yaml``, or beside one that is there."""
    names: dict[object, str] = {}
    for need in needs:
        name = str(need["name"])
        names[need["id"]] = name if name not in names.values() else f"{name} {need['id']}"
    content = {
        "needs": [
            {
                "name": names[need["id"]],
                "commodity": need["commodity"],
                "destination": need["destination"],
                "period_from": str(need["period_from"])[:7],
                "period_to": str(need["period_to"])[:7],
                "tonnes": need["tonnes"],
                "stock": need["stock"],
                "lead_days": need["lead_days"],
                "counted_on": str(need["created_at"])[:10],
            }
            for need in needs
        ],
        "alert_rules": [
            {
                "name": f"{rule['name']} {rule['id']}",
                "measure": rule["measure"],
                "points": rule["points"],
                **(
                    {"need": names[rule["need_id"]]}
                    if rule["need_id"] in names
                    else {"destination": rule["destination"], "commodity": rule["commodity"]}
                ),
            }
            for rule in rules
            if rule["need_id"] is None or rule["need_id"] in names
        ],
    }
    path = folder / "planning.yaml"
    path = path if not path.exists() else folder / "planning-before-0.2.yaml"
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    path.write_text(f"# From the database of an older version.\n{text}", encoding="utf-8")
