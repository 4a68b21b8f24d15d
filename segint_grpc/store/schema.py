"""The tables, as queries name them. The migrations make them; a test holds the two together.

No table is bound to a database, so a query outside a transaction (see database.py) fails at once. Times
are whole microseconds since 1970-01-01 UTC: they sort, compare and add alike in every database.
"""

from __future__ import annotations

from peewee import (
    AutoField,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from segint_grpc.domain.access import ANONYMOUS
from segint_grpc.domain.versions import VersionState
from segint_grpc.store.audit_schema import AuditPlaceTable, AuditTable
from segint_grpc.store.moments import MomentField


class MigrationTable(Model):
    """The migrations that this database has been through."""

    number = IntegerField(primary_key=True)
    name = TextField()
    applied_at = MomentField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "migration"


class JobTable(Model):
    """Jobs. `token` is the current lease's, empty unless the job runs; see domain/jobs.py for the rest."""

    id = TextField(primary_key=True)
    model_id = TextField(index=True)
    state = TextField(index=True)
    percent = IntegerField(default=0)
    stage = TextField()
    error_code = TextField(default="")
    error_text = TextField(default="")
    caller = TextField()
    owner = TextField(default=ANONYMOUS)
    client_version = TextField()
    request_id = TextField()
    body_sha256 = TextField()
    body_bytes = BigIntegerField()
    body_kept = BooleanField(default=True)
    result_sha256 = TextField(default="")
    result_bytes = BigIntegerField(null=True)
    result_kept = BooleanField(default=False)
    submitted_at = MomentField()
    deadline_at = MomentField()
    started_at = MomentField(null=True)
    finished_at = MomentField(null=True, index=True)
    attempt = IntegerField(default=0)
    token = TextField(default="")
    lease_until = MomentField(null=True)
    voxels = BigIntegerField(default=0)
    infer_share = DoubleField(default=1.0)

    class Meta:
        """Peewee's settings of the table."""

        table_name = "job"
        indexes = ((("submitted_at", "id"), False),)


class RunTable(Model):
    """The runs of the jobs; `ended_at` and `outcome` are null while one goes on.

    What is measured is 0 where it was not; see StageTimes in domain/jobs.py for the stages.
    """

    id = BigAutoField()
    job = ForeignKeyField(JobTable, on_delete="CASCADE")
    attempt = IntegerField()
    slot = TextField()
    started_at = MomentField()
    ended_at = MomentField(null=True)
    outcome = TextField(null=True)
    reason = TextField(default="")
    peak_memory_bytes = BigIntegerField(default=0)
    voxels = BigIntegerField(default=0)
    runtime_revision = IntegerField(default=0)
    cold = BooleanField(default=False)
    load_s = DoubleField(default=0.0)
    prepare_s = DoubleField(default=0.0)
    infer_s = DoubleField(default=0.0)
    restore_s = DoubleField(default=0.0)
    encode_s = DoubleField(default=0.0)

    class Meta:
        """Peewee's settings of the table."""

        table_name = "run"
        indexes = ((("job", "attempt"), True),)


class VolumeTable(Model):
    """The masks' volumes, in millilitres, of the runs that succeeded; kept when the masks go."""

    id = BigAutoField()
    run = ForeignKeyField(RunTable, on_delete="CASCADE")
    structure_id = TextField()
    volume_ml = DoubleField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "volume"


class EventTable(Model):
    """The jobs' timelines."""

    id = BigAutoField()
    job = ForeignKeyField(JobTable, on_delete="CASCADE")
    at = MomentField()
    kind = TextField()
    text = TextField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "event"


class FamilyTable(Model):
    """Model families, in the order of their first import; `body` is the family as it was imported.

    `revision` is the id of the event of the last change. Neither default is a reference: a version that
    goes may come back.
    """

    id = AutoField()
    canonical_name = TextField(unique=True)
    body = BlobField()
    policy = TextField()
    imported_at = MomentField()
    revision = BigIntegerField(default=0)
    default_version = TextField(default="")
    former_default = TextField(default="")

    class Meta:
        """Peewee's settings of the table."""

        table_name = "family"


class VersionTable(Model):
    """The families' versions by their id, which no two families share."""

    version_id = TextField(primary_key=True)
    family = ForeignKeyField(FamilyTable, on_delete="CASCADE")
    position = IntegerField()
    state = TextField(default=VersionState.DRAFT)
    forced = BooleanField(default=False)

    class Meta:
        """Peewee's settings of the table."""

        table_name = "version"


class FileTable(Model):
    """Model files by content and name."""

    id = AutoField()
    sha256 = TextField()
    name = TextField()
    size_bytes = BigIntegerField()
    added_at = MomentField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "file"
        indexes = ((("sha256", "name"), True),)


class RuntimeTable(Model):
    """What runs a version. A changed runtime is a new row, so its revision is never used twice."""

    revision = AutoField()
    version = ForeignKeyField(VersionTable, on_delete="CASCADE", unique=True)
    backend = TextField()
    model_file = ForeignKeyField(FileTable, null=True)
    module_file = ForeignKeyField(FileTable, null=True)
    entry = TextField()
    parameters = TextField()
    check_scan = ForeignKeyField(FileTable, null=True)
    handling = BlobField()
    interpreter = TextField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "runtime"


class CheckTable(Model):
    """The last check of each version's runtime as it is; `body` is a serialized segint.v1.CheckReport."""

    version = ForeignKeyField(VersionTable, primary_key=True, on_delete="CASCADE")
    runtime_revision = IntegerField()
    passed = BooleanField()
    checked_at = MomentField()
    body = BlobField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "version_check"


class LoadTable(Model):
    """The last load of each version; see domain/model_load.py."""

    version = ForeignKeyField(VersionTable, primary_key=True, on_delete="CASCADE")
    loaded_at = MomentField()
    seconds = DoubleField()
    memory_bytes = BigIntegerField()
    gpu_memory_bytes = BigIntegerField()
    device = TextField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "version_load"


class ApprovalTable(Model):
    """Contents of files whose code may run, by SHA-256; kept when the file goes."""

    sha256 = TextField(primary_key=True)
    approved_at = MomentField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "approval"


class ModelEventTable(Model):
    """What was done to the models; ids are never used twice, so a family's revision is one of them."""

    id = BigAutoField()
    at = MomentField()
    kind = TextField()
    canonical_name = TextField(index=True)
    version_id = TextField()
    text = TextField()
    forced = BooleanField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "model_event"


class OpinionTable(Model):
    """Feedback and telemetry as they were sent; `job` is null where the named job is not known here."""

    id = BigAutoField()
    kind = TextField()
    job = ForeignKeyField(JobTable, null=True, on_delete="CASCADE")
    segmentation_id = TextField()
    body = BlobField()
    received_at = MomentField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "opinion"


class TokenTable(Model):
    """Tokens by their public id; `digest` is all that is kept of the secret (see domain/tokens.py)."""

    id = TextField(primary_key=True)
    name = TextField()
    digest = BlobField()
    scope = IntegerField()
    created_at = MomentField()
    expires_at = MomentField(null=True)
    used_at = MomentField(null=True)
    revoked_at = MomentField(null=True)
    jobs_max = IntegerField()
    posts_per_minute = IntegerField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "token"


class UserTable(Model):
    """Users; `password` is a salted scrypt hash with its parameters."""

    name = TextField(primary_key=True)
    scope = IntegerField()
    password = TextField()
    created_at = MomentField()
    password_set_at = MomentField()
    disabled_at = MomentField(null=True)

    class Meta:
        """Peewee's settings of the table."""

        table_name = "user_account"


TABLES: tuple[type[Model], ...] = (
    MigrationTable,
    JobTable,
    RunTable,
    VolumeTable,
    EventTable,
    FamilyTable,
    VersionTable,
    FileTable,
    RuntimeTable,
    CheckTable,
    LoadTable,
    ApprovalTable,
    ModelEventTable,
    OpinionTable,
    AuditTable,
    AuditPlaceTable,
    TokenTable,
    UserTable,
)
