import { useEffect, useState } from "react";
import { freshToken } from "../account/accounts.js";
import { ApiError, api } from "../account/api.js";
import { HISTORY, type LiveNode, type NodeView, type Sample, sampleOf, withRates } from "./stats.js";

const EVERY_MS = 2_000;

export interface Cluster {
  nodes: readonly LiveNode[] | undefined;
  samples: readonly Sample[];
  /** Why there is nothing newer. */
  problem: string | undefined;
  /** May not look: trying again changes nothing. */
  isRefused: boolean;
}

const NOTHING: Cluster = { nodes: undefined, samples: [], problem: undefined, isRefused: false };

async function load(userId: string): Promise<readonly NodeView[]> {
  const token = await freshToken(userId, { isExpired: false });
  if (token === null) throw new ApiError(401, "unauthenticated", "Your session has ended. Sign in again.");
  // Whichever node answers: each knows of all.
  return (await api<{ nodes: readonly NodeView[] }>("/api/v1/admin/nodes", { token })).nodes;
}

/** A cluster with what was just heard. */
function heard({ nodes: before = [], samples }: Cluster, nodes: readonly NodeView[]): Cluster {
  const live = withRates(nodes, before);
  return { ...NOTHING, nodes: live, samples: [...samples, sampleOf(live)].slice(-HISTORY) };
}

/** The cluster's numbers, every two seconds while somebody looks. */
export function useCluster(userId: string): Cluster {
  const [cluster, setCluster] = useState(NOTHING);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const look = async () => {
      let isRefused = false;
      try {
        const nodes = document.hidden ? undefined : await load(userId);
        if (isOver) return;
        if (nodes) setCluster((before) => heard(before, nodes));
      } catch (error) {
        if (isOver) return;
        isRefused = error instanceof ApiError && (error.status === 401 || error.status === 403);
        setCluster((before) => ({ ...before, problem: (error as Error).message, isRefused }));
      }
      if (!isRefused) timer = setTimeout(look, EVERY_MS);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [userId]);
  return cluster;
}
