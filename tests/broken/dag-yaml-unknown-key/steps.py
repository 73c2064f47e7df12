def extract(n):
    return n
