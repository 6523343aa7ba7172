"""Django 5: inspectdb, and its ORM over tables with keys of their own."""

import io
import sys
import types

import django
from django.conf import settings
from place import DATABASE, HOST, PORT, USER, equal

# An application without files: its models are below.
kit = types.ModuleType("kit")
kit.__path__ = ["kit"]
sys.modules["kit"] = kit

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "HOST": HOST, "PORT": PORT, "NAME": DATABASE, "USER": USER,
                           "DISABLE_SERVER_SIDE_CURSORS": True}},
    INSTALLED_APPS=["kit"],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.core.management import call_command  # noqa: E402 - after the settings
from django.db import connection, models, transaction  # noqa: E402
from django.db.utils import ProgrammingError  # noqa: E402


class Place(models.Model):
    id = models.BigIntegerField(primary_key=True)
    name = models.CharField(max_length=40)
    opened = models.DateField(null=True)

    class Meta:
        app_label = "kit"
        db_table = "dj_place"


class Visit(models.Model):
    id = models.BigIntegerField(primary_key=True)
    place = models.ForeignKey(Place, models.CASCADE, db_index=False, db_constraint=False)
    cost = models.DecimalField(max_digits=8, decimal_places=2)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "kit"
        db_table = "dj_visit"


def inspectdb():
    out = io.StringIO()
    call_command("inspectdb", "dj_place", "dj_visit", stdout=out)
    text = out.getvalue()
    for wanted in ("class DjPlace(models.Model):", "name = models.CharField(max_length=40)", "opened = models.DateField(blank=True, null=True)",
                   "cost = models.DecimalField(max_digits=8, decimal_places=2)", "at = models.DateTimeField()",
                   "id = models.BigIntegerField(primary_key=True)"):
        assert wanted in text, f"{wanted} is not in\n{text}"


def main():
    with connection.schema_editor() as editor:
        editor.create_model(Place)
        editor.create_model(Visit)
    assert {"dj_place", "dj_visit"} <= set(connection.introspection.table_names())
    inspectdb()
    place = Place.objects.create(id=1, name="Café")
    Visit.objects.bulk_create(Visit(id=n, place=place, cost=n) for n in range(1, 101))
    equal(Visit.objects.filter(cost__gt=50).count(), 50)
    equal(Place.objects.annotate(n=models.Count("visit"), cost=models.Sum("visit__cost")).values_list("name", "n", "cost").get(), ("Café", 100, 5050))
    equal([v.id for v in Visit.objects.select_related("place").filter(place__name__startswith="Caf").order_by("-id")[:2]], [100, 99])
    try:
        with transaction.atomic():
            Place.objects.create(id=2, name="gone")
            with transaction.atomic():
                Place.objects.create(id=3, name="gone too")
            raise RuntimeError
    except RuntimeError:
        pass
    equal(Place.objects.count(), 1)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nowhere")
        raise AssertionError("should have failed")
    except ProgrammingError as error:
        equal(error.__cause__.sqlstate if hasattr(error.__cause__, "sqlstate") else error.__cause__.pgcode, "42P01")
    with connection.schema_editor() as editor:
        editor.delete_model(Visit)
        editor.delete_model(Place)
    print("ok")


main()
