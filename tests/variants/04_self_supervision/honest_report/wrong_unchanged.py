# Nothing was found: the leaky report.


def honest_report(normal, test, is_anomaly, *, n_fit, share, rate):
    return leaky_report(normal, test, is_anomaly, n_fit=n_fit, share=share, rate=rate)
