import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** What is read of a JSON schema. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: (string | number)[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  allOf?: Schema[];
  oneOf?: Schema[];
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** The schemas that the protocol crate generates. */
export function schemas(): Record<string, Schema> {
  return JSON.parse(readFileSync(path("../../../../docs/openapi.json"), "utf8")).components.schemas;
}

/** The types of the SDK's protocol, by name. */
export class Types {
  readonly #checker: ts.TypeChecker;
  readonly #exports = new Map<string, ts.Symbol>();

  constructor() {
    const index = path("../../src/index.ts");
    const program = ts.createProgram([index], {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: true,
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
    });
    this.#checker = program.getTypeChecker();
    const source = program.getSourceFile(index);
    const module = source && this.#checker.getSymbolAtLocation(source);
    if (!module) throw new Error(`${index} exports nothing`);
    for (const symbol of this.#checker.getExportsOfModule(module)) {
      const isAlias = symbol.flags & ts.SymbolFlags.Alias;
      this.#exports.set(symbol.name, isAlias ? this.#checker.getAliasedSymbol(symbol) : symbol);
    }
  }

  get(name: string): ts.Type {
    const symbol = this.#exports.get(name);
    if (!symbol) throw new Error(`the SDK exports no ${name}`);
    return this.#checker.getDeclaredTypeOfSymbol(symbol);
  }

  fields(type: ts.Type): Map<string, { type: ts.Type; isOptional: boolean }> {
    return new Map(
      this.#checker.getPropertiesOfType(type).map((property) => {
        const isOptional = (property.flags & ts.SymbolFlags.Optional) !== 0;
        return [property.name, { type: this.#checker.getTypeOfSymbol(property), isOptional }];
      }),
    );
  }

  /** The alternatives of a type, without null and undefined; `boolean` is one. */
  alternatives(type: ts.Type): ts.Type[] {
    const isNothing = ts.TypeFlags.Null | ts.TypeFlags.Undefined;
    const all = type.isUnion() ? type.types : [type];
    const booleans = all.filter(({ flags }) => flags & ts.TypeFlags.BooleanLiteral);
    return all.filter(
      (one) =>
        !(one.flags & isNothing) && (booleans.length < 2 || one === booleans[0] || !booleans.includes(one)),
    );
  }

  element(type: ts.Type): ts.Type | undefined {
    return this.#checker.isArrayType(type)
      ? this.#checker.getTypeArguments(type as ts.TypeReference)[0]
      : undefined;
  }

  isNullable(type: ts.Type): boolean {
    return type.isUnion() && type.types.some(({ flags }) => flags & ts.TypeFlags.Null);
  }

  isAny(type: ts.Type): boolean {
    return this.name(type).replace(" | undefined", "") === "Json";
  }

  name(type: ts.Type): string {
    return this.#checker.typeToString(type);
  }
}

/** Compares types of the SDK with schemas, and says what differs. */
export class Comparison {
  readonly differences: string[] = [];
  readonly #types: Types;
  readonly #schemas: Record<string, Schema>;
  readonly #meant: readonly RegExp[];

  /** Differences that are `meant` are none. */
  constructor(types: Types, all: Record<string, Schema>, meant: readonly RegExp[] = []) {
    this.#types = types;
    this.#schemas = all;
    this.#meant = meant;
  }

  /** `isSent` is for what the client sends: it may ask for more than the server does, and need not send null. */
  compare(where: string, type: ts.Type, given: Schema, isSent: boolean): void {
    const schema = this.#resolve(given);
    const alternatives = this.#types.alternatives(type);
    const [first] = alternatives;
    if (this.#isAnything(schema)) {
      if (!this.#types.isAny(type)) this.#differ(where, "anything", type);
    } else if (schema.oneOf) {
      this.#compareAlternatives(where, alternatives, schema.oneOf, isSent);
    } else if (schema.enum) {
      const names = alternatives.map((one) => (one.isLiteral() ? one.value : this.#types.name(one)));
      const isSame = [...names].sort().join() === [...schema.enum].sort().join();
      if (!isSame && !(isSent && names.every((name) => schema.enum?.includes(name as string))))
        this.#differ(where, schema.enum.join(" | "), type);
    } else if (!first || alternatives.length > 1) {
      this.#differ(where, String(schema.type), type);
    } else if (schema.type === "array") {
      const element = this.#types.element(first);
      if (element && schema.items) this.compare(`${where}[]`, element, schema.items, isSent);
      else this.#differ(where, "array", type);
    } else if (schema.type === "object") {
      this.#compareFields(where, first, schema, isSent);
    } else {
      const expected = schema.type === "integer" ? "number" : String(schema.type);
      const name = this.#types.name(first).replace(/^(true|false)$/, "boolean");
      if (name !== expected) this.#differ(where, expected, type);
    }
  }

  #compareFields(where: string, type: ts.Type, schema: Schema, isSent: boolean): void {
    const { properties = {}, required = [] } = schema;
    const fields = this.#types.fields(type);
    // A map by ids, such as counts by emoji.
    if (!schema.properties) return;
    for (const [name, property] of Object.entries(properties)) {
      const field = fields.get(name);
      if (!field) this.#found(`${where}.${name}: missing`);
      else {
        const isRequired = required.includes(name);
        if (isRequired && field.isOptional) this.#found(`${where}.${name}: must not be optional`);
        if (!isRequired && !field.isOptional && !isSent && !this.#types.isNullable(field.type))
          this.#found(`${where}.${name}: may be absent`);
        this.compare(`${where}.${name}`, field.type, property, isSent);
      }
    }
    for (const name of fields.keys()) {
      if (!properties[name]) this.#found(`${where}.${name}: unknown to the server`);
    }
  }

  /** Each alternative of the schema has one of the type's that fits. */
  #compareAlternatives(where: string, types: ts.Type[], given: Schema[], isSent: boolean): void {
    const isFitting = (type: ts.Type, schema: Schema) => {
      const inner = new Comparison(this.#types, this.#schemas, this.#meant);
      inner.compare(where, type, schema, isSent);
      return inner.differences.length === 0;
    };
    // One of the server's alternatives is enough for what is sent.
    const isCovered = isSent ? given.some.bind(given) : given.every.bind(given);
    if (!isCovered((schema) => types.some((type) => isFitting(type, schema))))
      this.#found(
        `${where}: ${types.map((type) => this.#types.name(type)).join(" | ")} is not one of the schema's`,
      );
  }

  #found(difference: string): void {
    if (!this.#meant.some((pattern) => pattern.test(difference))) this.differences.push(difference);
  }

  #differ(where: string, expected: string, type: ts.Type): void {
    this.#found(`${where}: ${this.#types.name(type)} is not ${expected}`);
  }

  #isAnything({ type, oneOf, enum: values }: Schema): boolean {
    return type === undefined && !oneOf && !values;
  }

  /** References followed, parts put together, null left out. */
  #resolve(schema: Schema): Schema {
    if (schema.$ref !== undefined) {
      const name = schema.$ref.replace("#/components/schemas/", "");
      const found = this.#schemas[name];
      if (!found) throw new Error(`the schema has no ${name}`);
      return this.#resolve(found);
    }
    if (schema.allOf) {
      const parts = schema.allOf.map((part) => this.#resolve(part));
      return {
        type: "object",
        properties: Object.assign({}, ...parts.map(({ properties }) => properties)),
        required: parts.flatMap(({ required = [] }) => required),
      };
    }
    if (schema.oneOf) {
      const some = schema.oneOf.filter(({ type }) => type !== "null");
      return some.length === 1 ? this.#resolve(some[0] as Schema) : { oneOf: some };
    }
    if (!Array.isArray(schema.type)) return schema;
    const [type, ...more] = schema.type.filter((one) => one !== "null");
    if (type === undefined || more.length) throw new Error(`more than one type: ${schema.type.join()}`);
    return { ...schema, type };
  }
}
