// fhir-kit-client drives the server at FHIR_BASE as its own documentation shows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CapabilityTool, Client } from 'fhir-kit-client';

const client = new Client({ baseUrl: process.env.FHIR_BASE });
const resourceType = 'Patient';
const system = 'urn:fhir-kit-client';

const patient = (number, more = {}) => ({
  resourceType,
  identifier: [{ system, value: number }],
  name: [{ text: '测试员' }],
  gender: 'female',
  birthDate: '1990-01-01',
  ...more,
});
const create = (number, more) => client.create({ resourceType, body: patient(number, more) });
const find = (searchParams) => client.search({ resourceType, searchParams });
const ids = (bundle) => (bundle.entry ?? []).map((entry) => entry.resource.id);
const sent = (answer) => Client.httpFor(answer).response;
const refused = (promise, status) => assert.rejects(promise, (error) => error.response.status === status);

test('the CapabilityStatement answers what CapabilityTool asks', async () => {
  const tool = new CapabilityTool(await client.capabilityStatement());
  assert.equal(tool.serverCan('transaction'), true);
  assert.equal(tool.resourceCan('Patient', 'patch'), true);
  assert.equal(tool.resourceSearch('Patient', 'birthdate'), true);
  assert.deepEqual(await client.smartAuthMetadata(), {});
});

test('create, read, update, vread, history, delete', async () => {
  const made = await create('crud');
  assert.equal(sent(made).status, 201);
  assert.match(sent(made).headers.get('location'), new RegExp(`/Patient/${made.id}/_history/1$`));
  const read = await client.read({ resourceType, id: made.id });
  assert.deepEqual(read, made);
  const changed = await client.update({ resourceType, id: made.id, body: { ...read, gender: 'male' } });
  assert.equal(changed.meta.versionId, '2');
  const first = await client.vread({ resourceType, id: made.id, version: '1' });
  assert.equal(first.gender, 'female');
  assert.deepEqual(await client.delete({ resourceType, id: made.id }), {});
  await refused(client.read({ resourceType, id: made.id }), 410);
  const history = await client.history({ resourceType, id: made.id });
  assert.deepEqual(history.entry.map((entry) => entry.request.method), ['DELETE', 'PUT', 'POST']);
  const ofType = await client.history({ resourceType });
  const ofSystem = await client.history();
  assert.deepEqual([ofType.type, ofSystem.type], ['history', 'history']);
});

test('an update under a new id creates', async () => {
  const body = patient('own-id', { id: 'fhir-kit-own' });
  const made = await client.update({ resourceType, id: body.id, body });
  assert.deepEqual([sent(made).status, made.id], [201, body.id]);
});

test('search by GET and by POST, and in a compartment', async () => {
  const made = await create('search');
  const criteria = { identifier: `${system}|search`, birthdate: ['ge1990', 'lt1991'] };
  assert.deepEqual(ids(await find(criteria)), [made.id]);
  const posted = await client.search({ resourceType, searchParams: criteria, options: { postSearch: true } });
  assert.deepEqual(ids(posted), [made.id]);
  const flag = await client.create({
    resourceType: 'Flag',
    body: { resourceType: 'Flag', status: 'active', code: { text: '过敏' }, subject: { reference: `Patient/${made.id}` } },
  });
  const compartment = { resourceType, id: made.id };
  assert.deepEqual(ids(await client.search({ resourceType: 'Flag', compartment })), [flag.id]);
  const inCompartment = { resourceType: 'Flag', compartment, searchParams: { status: 'active' }, options: { postSearch: true } };
  assert.deepEqual(ids(await client.search(inCompartment)), [flag.id]);
  const everywhere = await client.search({ searchParams: { _type: 'Patient,Flag', _id: `${made.id},${flag.id}` } });
  assert.deepEqual(new Set(ids(everywhere)), new Set([made.id, flag.id]));
  assert.deepEqual((await client.resolve({ reference: flag.subject.reference })).id, made.id);
});

test('pages go forth and back', async () => {
  const made = [];
  for (const n of [1, 2, 3, 4, 5]) made.push((await create('paged', { birthDate: `1990-01-0${n}` })).id);
  let page = await find({ identifier: `${system}|paged`, _sort: 'birthdate', _count: 2 });
  const seen = [ids(page)];
  for (let next; (next = await client.nextPage({ bundle: page })); page = next) seen.push(ids(next));
  assert.deepEqual(seen, [made.slice(0, 2), made.slice(2, 4), made.slice(4)]);
  assert.deepEqual(ids(await client.prevPage({ bundle: page })), made.slice(2, 4));
});

test('conditional create, update, read and version-aware update', async () => {
  const options = { headers: { 'If-None-Exist': `identifier=${system}|conditional` } };
  const made = await client.create({ resourceType, body: patient('conditional'), options });
  const again = await client.create({ resourceType, body: patient('conditional'), options });
  assert.deepEqual([sent(made).status, sent(again).status, again.id], [201, 200, made.id]);
  const searchParams = { identifier: `${system}|conditional` };
  const body = patient('conditional', { gender: 'other' });
  const updated = await client.update({ resourceType, searchParams, body });
  assert.deepEqual([updated.id, updated.meta.versionId], [made.id, '2']);
  const stale = { headers: { 'If-Match': 'W/"1"' } };
  await refused(client.update({ resourceType, id: made.id, body: { ...updated, gender: 'male' }, options: stale }), 412);
  await refused(client.read({ resourceType, id: made.id, options: { headers: { 'If-None-Match': 'W/"2"' } } }), 304);
});

test('patch by JSON Patch', async () => {
  const made = await create('patch');
  const jsonPatch = [
    { op: 'test', path: '/gender', value: 'female' },
    { op: 'replace', path: '/gender', value: 'male' },
  ];
  const patched = await client.patch({ resourceType, id: made.id, jsonPatch });
  assert.deepEqual([patched.gender, patched.meta.versionId], ['male', '2']);
});

test('batch and transaction', async () => {
  const made = await create('bundle');
  const batch = await client.batch({
    body: {
      resourceType: 'Bundle',
      type: 'batch',
      entry: [
        { request: { method: 'GET', url: `/Patient/${made.id}` } },
        { request: { method: 'GET', url: 'Patient/never-there' } },
      ],
    },
  });
  assert.deepEqual([batch.type, batch.entry.map((entry) => entry.response.status)], ['batch-response', ['200', '404']]);
  const fullUrl = 'urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a';
  const code = { text: '过敏' };
  const transaction = await client.transaction({
    body: {
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        { resource: { resourceType: 'Flag', status: 'active', code, subject: { reference: fullUrl } }, request: { method: 'POST', url: 'Flag' } },
        { fullUrl, resource: patient('transaction'), request: { method: 'POST', url: 'Patient' } },
        { request: { method: 'DELETE', url: `Patient/${made.id}` } },
      ],
    },
  });
  assert.deepEqual(transaction.entry.map((entry) => entry.response.status), ['201', '201', '204']);
  const flag = await client.resolve({ reference: transaction.entry[0].response.location });
  const subject = await client.resolve({ reference: flag.subject.reference });
  assert.equal(subject.identifier[0].value, 'transaction');
});

test('operations of a type, of an instance and of the system, by GET and by POST', async () => {
  const made = await create('operations');
  const everything = await client.operation({ name: 'everything', resourceType, id: made.id, method: 'GET' });
  assert.deepEqual(ids(everything), [made.id]);
  const outcome = await client.operation({ name: '$validate', resourceType, input: patient('x') });
  assert.equal(outcome.resourceType, 'OperationOutcome');
  const input = { url: 'http://hl7.org/fhir/ValueSet/administrative-gender', filter: 'fem' };
  const expanded = await client.operation({ name: 'expand', resourceType: 'ValueSet', method: 'GET', input });
  assert.deepEqual(expanded.expansion.contains.map((one) => one.code), ['female']);
  const parameter = [{ name: 'expression', valueString: 'gender' }, { name: 'resource', resource: made }];
  const result = await client.operation({ name: 'fhirpath', input: { resourceType: 'Parameters', parameter } });
  assert.equal(result.resourceType, 'Parameters');
});

test('a refusal carries an OperationOutcome', async () => {
  const body = { ...patient('wrong'), gender: 'unheard-of' };
  await assert.rejects(client.create({ resourceType, body }), ({ response }) => {
    assert.equal(response.status, 422);
    return response.data.resourceType === 'OperationOutcome';
  });
});
