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
    ]
