"""Encrypts the secrets of second factors that an older version kept as they were."""

from typing import Any

from django.db import migrations


def encrypt(apps: Any, _schema_editor: Any) -> None:
    # Not at import: migrations are loaded where nothing of ours is needed.
    from vlsite.second_factors import encrypt_all

    encrypt_all(apps.get_model("mfa", "Authenticator").objects)


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0007_daily_use'),
        ('mfa', '0003_authenticator_type_uniq'),
    ]

    operations = [migrations.RunPython(encrypt)]
