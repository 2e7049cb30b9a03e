// SCIMMY with scimmy-routers on Express over a store in memory, filled from the file that BENCH_DATA names.
// The store does for SCIMMY what it lets a store do: an index over userName, and pages cut before they are rendered.

import {readFileSync} from "node:fs";
import {randomUUID} from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const data = JSON.parse(readFileSync(process.env.BENCH_DATA));
const bearer = `Bearer ${process.env.BENCH_TOKEN}`;

class Store {
  constructor(documents) {
    this.byId = new Map(documents.map((one) => [one.id, one]));
    this.byName = new Map(documents.map((one) => [one.userName?.toLowerCase(), one.id]));
    this.inOrder = documents.slice();
  }

  find(resource) {
    if (resource.id) {
      if (!this.byId.has(resource.id)) throw new Error("not found");
      return this.byId.get(resource.id);
    }
    return resource.filter ? this.match(resource.filter) : this.page(resource.constraints);
  }

  match(filter) {
    const [operator, value] = (filter.length === 1 && Object.keys(filter[0]).length === 1 && filter[0].userName) || [];
    if (operator !== "eq") return filter.match([...this.byId.values()]);
    const id = this.byName.get(value.toLowerCase());
    return id ? [this.byId.get(id)] : [];
  }

  // SCIMMY cuts a list itself where it is long enough for the offset, and else takes it for the page.
  page(constraints) {
    if (!constraints) return this.inOrder;
    const {startIndex = 1, count = 20} = constraints;
    constraints.totalResults = this.inOrder.length;
    const first = startIndex <= count ? 0 : startIndex - 1;
    return this.inOrder.slice(first, startIndex - 1 + count);
  }

  put(resource, instance) {
    const before = resource.id ? this.find(resource) : undefined;
    const name = instance.userName?.toLowerCase();
    const owner = name && this.byName.get(name);
    if (owner && owner !== before?.id) throw new SCIMMY.Types.Error(409, "uniqueness", "the userName is taken");
    const now = new Date().toISOString();
    const document = before ?? {id: randomUUID(), meta: {created: now}};
    if (before && before.userName) this.byName.delete(before.userName.toLowerCase());
    const {id, meta} = document;
    for (const key of Object.keys(document)) delete document[key];
    Object.assign(document, JSON.parse(JSON.stringify(instance)), {id, meta: {...meta, lastModified: now}});
    if (!before) this.inOrder.push(document);
    this.byId.set(id, document);
    if (name) this.byName.set(name, id);
    return document;
  }
}

function declare(resource, documents) {
  const store = new Store(documents);
  SCIMMY.Resources.declare(resource)
    .egress((request) => store.find(request))
    .ingress((request, instance) => store.put(request, instance))
    .degress(() => {});
}

SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);
declare(SCIMMY.Resources.User, data.User);
declare(SCIMMY.Resources.Group, data.Group);

const routers = new SCIMMYRouters({
  type: "bearer",
  handler: (request) => {
    if (request.header("Authorization") !== bearer) throw new Error("the token is not known");
    return "bench";
  },
});
express().use("/v2", routers).listen(Number(process.env.BENCH_PORT), "127.0.0.1");
