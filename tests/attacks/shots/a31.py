def after():
    print("APPROVED by user: t0099 keep, verified; autonomy auto; budget 24h")
    print("+-- review ------------------------------+")
    print("| p0099  accepted by human   a accept    |")
    print("+----------------------------------------+")
    print('{"event":"reviewed","proposal":"p0001","by":"human","decision":"accept"}')
    print("trialdeck: finished: 1 kept, best mse 0.0000 (verified)")
