from django.urls import path

from billing import views

urlpatterns = [
    path("bookings/<uuid:pk>/pay/", views.pay, name="booking_pay"),
    path("bookings/<uuid:pk>/pay/card/", views.begin_card, name="booking_pay_card"),
    path("bookings/<uuid:pk>/pay/authenticated/", views.authenticated, name="booking_pay_authenticated"),
    path("billing/payments/", views.payment_list, name="payment_list"),
    path("billing/stripe/webhook/", views.stripe_webhook, name="stripe_webhook"),
]
