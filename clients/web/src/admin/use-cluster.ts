import { useEffect, useState } from "react";
import { freshToken } from "../account/accounts.js";
import { ApiError, api } from "../account/api.js";
import { appended, type NodeView, type Sample, type Stats } from "./stats.js";

const EVERY_MS = 2_000;

export interface Cluster {
  nodes: readonly NodeView[] | undefined;
  samples: readonly Sample[];
  /** Why there is nothing newer. */
  problem: string | undefined;
  /** May not look: trying again changes nothing. */
  isRefused: boolean;
}

async function load(userId: string): Promise<{ nodes: readonly NodeView[]; stats: Stats }> {
  const token = await freshToken(userId, { isExpired: false });
  if (token === null) throw new ApiError(401, "unauthenticated", "Your session has ended. Sign in again.");
  const [{ nodes }, stats] = await Promise.all([
    api<{ nodes: readonly NodeView[] }>("/api/v1/admin/nodes", { token }),
    api<Stats>("/stats", { token }),
  ]);
  return { nodes, stats };
}

/** The cluster's numbers, every two seconds while somebody looks. */
export function useCluster(userId: string): Cluster {
  const [cluster, setCluster] = useState<Cluster>({
    nodes: undefined,
    samples: [],
    problem: undefined,
    isRefused: false,
  });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const look = async () => {
      let isRefused = false;
      try {
        const { nodes, stats } = document.hidden ? {} : await load(userId);
        if (isOver) return;
        if (nodes && stats) {
          const sample = { at: Date.now(), stats };
          setCluster(({ samples }) => ({
            nodes,
            samples: appended(samples, sample),
            problem: undefined,
            isRefused: false,
          }));
        }
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
