"""Django 5: migrations of its own applications, inspectdb, and its ORM with generated keys, cursors and transactions."""

import io
import sys
import types
from datetime import date, timedelta
from decimal import Decimal

import django
from django.conf import settings
from place import DATABASE, HOST, LONG, PORT, USER, did, equal, later

# An application without files: its models are below.
kit = types.ModuleType("kit")
kit.__path__ = ["kit"]
sys.modules["kit"] = kit

settings.configure(
    # As another session reads what this one wrote, in the test of cursors: strong. PostgreSQL takes the setting for anybody's.
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "HOST": HOST, "PORT": PORT, "NAME": DATABASE, "USER": USER,
                           "OPTIONS": {"options": "-c duckmesh.consistency=strong"}}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.messages",
                    "django.contrib.admin", "kit"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages"]}}],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware"],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SECRET_KEY="of a test",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
)
django.setup()

from django.contrib.auth.models import Permission, User  # noqa: E402 - after the settings
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.db.models import Avg, Count, F, OuterRef, Q, Subquery, Sum, Window  # noqa: E402
from django.db.models.functions import Coalesce, Extract, Lower, RowNumber, TruncMonth  # noqa: E402
from django.db.utils import NotSupportedError, OperationalError, ProgrammingError  # noqa: E402
from django.utils import timezone  # noqa: E402


class Place(models.Model):
    name = models.CharField(max_length=40)
    opened = models.DateField(null=True)
    score = models.IntegerField(default=7)

    class Meta:
        app_label = "kit"
        db_table = "dj_place"
        constraints = [models.CheckConstraint(condition=Q(score__gte=0), name="dj_place_score")]


class Visit(models.Model):
    place = models.ForeignKey(Place, models.CASCADE)
    cost = models.DecimalField(max_digits=8, decimal_places=2)
    at = models.DateTimeField(auto_now_add=True)
    open = models.BooleanField(default=False)
    notes = models.JSONField(null=True)
    took = models.DurationField(null=True)

    class Meta:
        app_label = "kit"
        db_table = "dj_visit"
        unique_together = [("place", "cost")]


def migrations():
    out = io.StringIO()
    call_command("migrate", stdout=out, verbosity=1)
    for app in ("admin", "auth", "contenttypes", "sessions"):
        assert f"Applying {app}.0001_initial... OK" in out.getvalue(), out.getvalue()
    again = io.StringIO()
    call_command("migrate", stdout=again)
    assert "No migrations to apply." in again.getvalue(), again.getvalue()
    assert {"auth_user", "django_session", "django_content_type", "django_admin_log"} <= set(connection.introspection.table_names())
    equal(ContentType.objects.get(app_label="auth", model="user").model_class(), User)
    equal(Permission.objects.filter(content_type__app_label="auth", codename="add_user").count(), 1)
    user = User.objects.create_user("ann", "ann@example.org", "secret")
    assert user.pk is not None and User.objects.get(username="ann").check_password("secret")
    Session.objects.create(session_key="k" * 32, session_data="", expire_date=timezone.now() + timedelta(days=1))
    equal(Session.objects.filter(expire_date__gt=timezone.now()).count(), 1)


def inspectdb():
    out = io.StringIO()
    call_command("inspectdb", "dj_place", "dj_visit", stdout=out)
    text = out.getvalue()
    for wanted in ("class DjPlace(models.Model):", "id = models.BigAutoField(primary_key=True)", "name = models.CharField(max_length=40)",
                   "opened = models.DateField(blank=True, null=True)", "place = models.ForeignKey(DjPlace, models.DO_NOTHING)",
                   "cost = models.DecimalField(max_digits=8, decimal_places=2)", "at = models.DateTimeField()",
                   "notes = models.JSONField(blank=True, null=True)", "took = models.DurationField(blank=True, null=True)",
                   "unique_together = (('place', 'cost'),)"):
        assert wanted in text, f"{wanted} is not in\n{text}"
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "dj_visit")
        kinds = sorted((c["primary_key"], c["unique"], bool(c["foreign_key"]), c["check"], tuple(c["columns"]))
                       for c in found.values() if not c["index"] or c["unique"])
        equal(kinds, [(False, False, True, False, ("place_id",)), (False, True, False, False, ("place_id", "cost")),
                      (True, True, False, False, ("id",))])
        checks = [name for name, c in connection.introspection.get_constraints(cursor, "dj_place").items() if c["check"]]
        equal(checks, ["dj_place_score"])
        sequences = connection.introspection.get_sequences(cursor, "dj_place")
        equal([(s["table"], s["column"]) for s in sequences], [("dj_place", "id")])


def rows():
    place = Place.objects.create(name="Café", opened=date(2024, 2, 29))
    assert place.pk is not None
    visits = Visit.objects.bulk_create(
        [Visit(place=place, cost=n, open=n % 2 == 0, notes={"n": n, "s": [n, None]}, took=timedelta(hours=n)) for n in range(1, 101)])
    assert all(v.pk is not None for v in visits)
    equal(Visit.objects.filter(cost__gt=50).count(), 50)
    equal(Place.objects.annotate(n=Count("visit"), cost=Sum("visit__cost")).values_list("name", "n", "cost").get(), ("Café", 100, 5050))
    newest = Visit.objects.select_related("place").filter(place__name__startswith="Caf").order_by("-id")[:2]
    equal([v.id for v in newest], [visits[99].id, visits[98].id])
    one = Visit.objects.get(pk=visits[6].pk)
    equal((one.cost, one.notes, one.took), (Decimal("7.00"), {"n": 7, "s": [7, None]}, timedelta(hours=7)))
    equal(Visit.objects.filter(notes__n=8).count(), 1)
    equal(Visit.objects.filter(Q(cost__in=[1, 2]) | ~Q(open=True), cost__lte=F("id") + 1000).count(), 51)
    equal(Visit.objects.aggregate(a=Avg("cost"), n=Count("id", filter=Q(open=True))), {"a": Decimal("50.5"), "n": 50})
    equal([m["n"] for m in Visit.objects.annotate(m=TruncMonth("at")).values("m").annotate(n=Count("id"))], [100])
    year = Visit.objects.annotate(y=Extract("at", "year")).values_list("y", flat=True).distinct().get()
    assert year >= 2024, year
    ranked = Visit.objects.annotate(r=Window(RowNumber(), order_by=F("cost").desc())).order_by("r").values_list("cost", "r")[:2]
    equal(list(ranked), [(Decimal(100), 1), (Decimal(99), 2)])
    dearest = Visit.objects.filter(place=OuterRef("pk")).order_by("-cost").values("cost")[:1]
    equal(Place.objects.annotate(top=Coalesce(Subquery(dearest), Decimal(0))).get().top, Decimal(100))
    equal(Place.objects.annotate(low=Lower("name")).filter(low__icontains="CAF", name__regex="^C.f").exists(), True)
    equal([v.place.name for v in Visit.objects.prefetch_related("place")[:2]], ["Café", "Café"])
    # A cursor of the server's, WITH HOLD outside of a transaction.
    equal(sum(1 for _ in Visit.objects.order_by("id").iterator(chunk_size=30)), 100)
    with transaction.atomic():
        equal([v for v in Visit.objects.order_by("-id").values_list("id", flat=True).iterator(chunk_size=3)][:1], [visits[99].id])


def blocks():
    try:
        with transaction.atomic():
            Place.objects.create(name="gone")
            with transaction.atomic():
                Place.objects.create(name="gone too")
            equal(Place.objects.count(), 3)
            raise RuntimeError
    except RuntimeError:
        pass
    equal(Place.objects.count(), 1)
    done = []
    with transaction.atomic():
        Place.objects.create(name="kept")
        transaction.on_commit(lambda: done.append(Place.objects.count()))
    equal(done, [2])


def state(error):
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)


def errors():
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT * FROM nowhere")
            raise AssertionError("should have failed")
        except ProgrammingError as error:
            equal(state(error), "42P01")
        later(connection.connection.cancel)
        try:
            cursor.execute(LONG)
            raise AssertionError("should have been cancelled")
        except OperationalError as error:
            equal(state(error), "57014")
    # Rows are only added, so far: the refusal is clear, and the connection usable.
    if "DuckMesh" in version():
        for work in (lambda: Place.objects.filter(name="kept").update(score=1), lambda: Place.objects.filter(name="kept").delete()):
            try:
                with transaction.atomic():
                    work()
                raise AssertionError("should have been refused")
            except NotSupportedError as error:
                equal(state(error), "0A000")
    equal(Place.objects.filter(name="kept").count(), 1)


def version():
    with connection.cursor() as cursor:
        cursor.execute("SELECT version()")
        return cursor.fetchone()[0]


def main():
    migrations()
    did("connect", "create")
    with connection.schema_editor() as editor:
        editor.create_model(Place)
        editor.create_model(Visit)
    with connection.schema_editor() as editor:
        editor.add_field(Place, nickname())
    with connection.schema_editor() as editor:
        editor.remove_field(Place, nickname())
    inspectdb()
    did("introspect")
    rows()
    did("insert", "bulk", "parameters")
    blocks()
    did("transaction")
    errors()
    did("error", "cancel")
    with connection.schema_editor() as editor:
        editor.delete_model(Visit)
        editor.delete_model(Place)
    print("ok")


def nickname():
    field = models.CharField(max_length=10, null=True)
    field.set_attributes_from_name("nickname")
    field.model = Place
    return field


main()
