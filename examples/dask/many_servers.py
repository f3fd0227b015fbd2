"""Prompts over many OpenCode servers, with Dask: python many_servers.py PROMPTS.txt URL...

Each line of the file is a prompt. Dask spreads them over its workers, and over the servers in turn; here the workers are processes of
this machine, and `Cluster("tcp://scheduler:8786")` in place of the LocalCluster takes those of others. Needs `distributed`.
"""

import sys
from functools import cache

from dask.distributed import Client as Cluster
from dask.distributed import LocalCluster, as_completed

import libopencode


@cache
def client_of(url):
    # A client of its own in each worker, for all its prompts.
    return libopencode.Client(url)


def ask(url, prompt):
    """What came of a prompt: plain values, which travel between machines."""
    try:
        reply = client_of(url).ask(prompt, permission="reject", deadline=600)
    except libopencode.OpencodeError as error:
        return {"prompt": prompt, "url": url, "error": error.to_dict()}
    return {"prompt": prompt, "url": url, "text": reply.text, "cost": reply.cost, "session": reply.sessionID}


def main(file, *urls):
    prompts = [line.strip() for line in open(file) if line.strip()]
    with LocalCluster(n_workers=len(urls), threads_per_worker=4, dashboard_address=None) as workers, Cluster(workers) as cluster:
        # Asking twice costs twice: nothing is taken for the same, and nothing is asked again by Dask.
        asked = [
            cluster.submit(ask, urls[number % len(urls)], prompt, pure=False, retries=0)
            for number, prompt in enumerate(prompts)
        ]
        results = []
        for _, result in as_completed(asked, with_results=True):
            results.append(result)
            print(f"\r{len(results)}/{len(asked)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    failed = [result for result in results if "error" in result]
    for result in results:
        print(result["prompt"], "->", result.get("text", result.get("error", {}).get("message")))
    print(f"{len(results) - len(failed)} answers, {len(failed)} failures, {sum(r.get('cost', 0) for r in results):.6g}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
