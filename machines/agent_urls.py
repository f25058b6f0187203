"""The addresses that agents call (``docs/agent-protocol.md``)."""

from django.urls import path

from machines.views import agent_api, agent_heartbeat, agent_program

urlpatterns = [
    path("v1/enroll", agent_api.agent_enroll, name="agent_enroll"),
    path("v1/heartbeat", agent_heartbeat.agent_heartbeat, name="agent_heartbeat"),
    path("v1/work/next", agent_api.agent_work_next, name="agent_work_next"),
    path("v1/work/<uuid:pk>/ack", agent_api.agent_work_ack, name="agent_work_ack"),
    path("v1/work/<uuid:pk>/report", agent_api.agent_work_report, name="agent_work_report"),
    path("v1/self-test", agent_api.agent_self_test, name="agent_self_test"),
    path("v1/rotate", agent_api.agent_rotate, name="agent_rotate"),
    path("v1/unenroll", agent_api.agent_unenroll, name="agent_unenroll"),
    path("v1/speed/", agent_api.agent_speed, name="agent_speed"),
    path("rsm-agent.pyz", agent_program.agent_program, name="agent_program"),
    path("rsm-agent.pyz.sha256", agent_program.agent_program_sha256, name="agent_program_sha256"),
]
