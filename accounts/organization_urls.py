from django.urls import path

from accounts.views import history, invitations, members, organizations, projects, ssh_keys

urlpatterns = [
    path("", organizations.organization_list, name="organization_list"),
    path("new/", organizations.organization_create, name="organization_create"),
    path("switch/", organizations.organization_switch, name="organization_switch"),
    path("switcher/", organizations.organization_switcher, name="organization_switcher"),
    path("invitations/<uuid:pk>/accept/", invitations.invitation_accept, name="invitation_accept"),
    path("invitations/<slug:token>/", invitations.invitation, name="invitation"),
    path("<uuid:pk>/", organizations.organization_detail, name="organization_detail"),
    path("<uuid:pk>/history/", history.organization_history, name="organization_history"),
    path("<uuid:pk>/settings/", organizations.organization_settings, name="organization_settings"),
    path("<uuid:pk>/policy/", organizations.organization_policy, name="organization_policy"),
    path("<uuid:pk>/billing/", organizations.organization_billing, name="organization_billing"),
    path("<uuid:pk>/transfer/", organizations.organization_transfer, name="organization_transfer"),
    path("<uuid:pk>/leave/", members.organization_leave, name="organization_leave"),
    path("<uuid:pk>/members/", members.organization_members, name="organization_members"),
    path("<uuid:pk>/members/<uuid:member_pk>/role/", members.member_role, name="member_role"),
    path("<uuid:pk>/members/<uuid:member_pk>/remove/", members.member_remove, name="member_remove"),
    path("<uuid:pk>/invitations/<uuid:invitation_pk>/resend/", members.invitation_resend, name="invitation_resend"),
    path("<uuid:pk>/invitations/<uuid:invitation_pk>/revoke/", members.invitation_revoke, name="invitation_revoke"),
    path("<uuid:pk>/keys/", ssh_keys.organization_keys, name="organization_keys"),
    path("<uuid:pk>/keys/<uuid:key_pk>/delete/", ssh_keys.organization_key_delete, name="organization_key_delete"),
    path("<uuid:pk>/projects/", projects.organization_projects, name="organization_projects"),
    path("<uuid:pk>/projects/new/", projects.project_create, name="project_create"),
    path("<uuid:pk>/projects/<uuid:project_pk>/", projects.project_edit, name="project_edit"),
    path("<uuid:pk>/projects/<uuid:project_pk>/archive/", projects.project_archive, name="project_archive"),
    path("<uuid:pk>/projects/<uuid:project_pk>/restore/", projects.project_restore, name="project_restore"),
    path("<uuid:pk>/cost-centres/", projects.cost_centre_create, name="cost_centre_create"),
    path("<uuid:pk>/cost-centres/<uuid:centre_pk>/archive/", projects.cost_centre_archive, name="cost_centre_archive"),
    path("<uuid:pk>/cost-centres/<uuid:centre_pk>/restore/", projects.cost_centre_restore, name="cost_centre_restore"),
]
