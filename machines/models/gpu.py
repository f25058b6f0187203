"""The GPU models that exist, with the figures their makers publish."""

from django.db import models

from common.ids import uuid7


class GPUModel(models.Model):
    """One model of GPU. Every claim and every measurement is held against these figures."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=80, unique=True)
    manufacturer = models.CharField(max_length=40)
    architecture = models.CharField(max_length=60, blank=True)
    memory_gb = models.PositiveIntegerField("memory, GB")
    cuda_cores = models.PositiveIntegerField("CUDA cores or stream processors", null=True, blank=True)
    base_power_consumption = models.DecimalField(
        "board power, W", max_digits=7, decimal_places=1, null=True, blank=True
    )
    fp32_tflops = models.FloatField("fp32 vector peak, TFLOPS", null=True, blank=True)
    fp16_tflops = models.FloatField("fp16 dense peak (tensor cores where present), TFLOPS", null=True, blank=True)
    memory_bandwidth_gb_s = models.FloatField("memory bandwidth, GB/s", null=True, blank=True)
    specifications = models.JSONField(default=dict, blank=True)
    aliases = models.JSONField(default=list, blank=True, help_text="Names as other platforms write them.")
    market_price_estimate = models.DecimalField(
        "market price estimate, USD per GPU-hour", max_digits=10, decimal_places=4, null=True, blank=True
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "gpu_models"
        ordering = ["name"]
        verbose_name = "GPU model"

    def __str__(self) -> str:
        return self.name
