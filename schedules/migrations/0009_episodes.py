from django.db import migrations, models
from django.db.models import F


def begin_episodes(apps, schema_editor):
    """Rows from before keep when the learner could begin, the best that is known of when they enrolled.

    That is right for all but who enrolled before their course started: a course that is moved to an earlier day
    leaves these where they are.
    """
    for name, start in (("Schedule", "start_date"), ("HoldBack", "content_availability_date")):
        rows = apps.get_model("schedules", name)._default_manager.using(schema_editor.connection.alias)
        rows.filter(enrolled_at=None).update(enrolled_at=F(start))


class Migration(migrations.Migration):

    dependencies = [
        ('schedules', '0008_lease'),
    ]

    operations = [
        migrations.AddField('schedule', 'enrolled_at', models.DateTimeField(null=True)),
        migrations.AddField('holdback', 'enrolled_at', models.DateTimeField(null=True)),
        migrations.RunPython(begin_episodes, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            'schedule',
            'enrolled_at',
            models.DateTimeField(blank=True, help_text='When the learner enrolled, the last time if more than once.', verbose_name='enrolled'),
        ),
        migrations.AlterField('holdback', 'enrolled_at', models.DateTimeField(blank=True, verbose_name='enrolled')),
        migrations.AlterField('schedule', 'course_id', models.CharField(max_length=255, verbose_name='course')),
        migrations.AddIndex('schedule', models.Index(fields=['course_id', 'id'], name='schedules_schedule_course')),
        migrations.AddIndex('holdback', models.Index(fields=['course_id', 'id'], name='schedules_hold_back_course')),
        migrations.CreateModel(
            name='CourseChange',
            fields=[
                ('course_id', models.CharField(max_length=255, primary_key=True, serialize=False)),
                ('facts', models.JSONField(default=list)),
                ('version', models.PositiveIntegerField(default=1)),
                ('last_schedule_id', models.BigIntegerField(default=0)),
                ('last_hold_back_id', models.BigIntegerField(default=0)),
                ('leased_until', models.DateTimeField(db_index=True)),
            ],
        ),
    ]
