from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("bookings", "0014_billed_to")]

    operations = [migrations.AlterModelOptions(name="charge", options={"ordering": ["booking_id", "number"]})]
