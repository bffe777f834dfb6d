// @medplum/core drives the server at FHIR_BASE; `baseUrl` and `fhirUrlPath` are how it is pointed at any FHIR server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MedplumClient } from '@medplum/core';

const site = process.env.FHIR_BASE.replace(/fhir$/, '');
const client = new MedplumClient({ baseUrl: site, fhirUrlPath: 'fhir' });
const system = 'urn:medplum';

const patient = (number, more = {}) => ({
  resourceType: 'Patient',
  identifier: [{ system, value: number }],
  name: [{ text: '测试员' }],
  gender: 'female',
  birthDate: '1990-01-01',
  ...more,
});
const create = (number, more) => client.createResource(patient(number, more));
const ids = (resources) => resources.map((resource) => resource.id);
const refused = (promise, code) => assert.rejects(promise, (error) => error.outcome.issue[0].code === code);

test('create, read, update, vread, history, delete', async () => {
  const made = await create('crud');
  assert.deepEqual(await client.readResource('Patient', made.id), made);
  const changed = await client.updateResource({ ...made, gender: 'male' });
  assert.deepEqual([changed.gender, changed.meta.versionId], ['male', '2']);
  assert.equal((await client.readVersion('Patient', made.id, '1')).gender, 'female');
  assert.equal((await client.readReference({ reference: `Patient/${made.id}` })).id, made.id);
  await client.deleteResource('Patient', made.id);
  await refused(client.readResource('Patient', made.id), 'deleted');
  const history = await client.readHistory('Patient', made.id);
  assert.deepEqual(history.entry.map((entry) => entry.request.method), ['DELETE', 'PUT', 'POST']);
  const newest = await client.readHistory('Patient', made.id, { count: 1 });
  assert.deepEqual(newest.entry.map((entry) => entry.request.method), ['DELETE']);
});

test('an update without a change answers with the same version', async () => {
  const made = await create('unchanged');
  assert.deepEqual(await client.updateResource(made), made);
});

test('create if none exist and upsert', async () => {
  const query = `identifier=${system}|conditional`;
  const made = await client.createResourceIfNoneExist(patient('conditional'), query);
  const again = await client.createResourceIfNoneExist(patient('conditional'), query);
  assert.equal(again.id, made.id);
  const upserted = await client.upsertResource(patient('conditional', { gender: 'other' }), query);
  assert.deepEqual([upserted.id, upserted.meta.versionId], [made.id, '2']);
  const other = await client.upsertResource(patient('upserted'), { identifier: `${system}|upserted` });
  assert.equal(other.meta.versionId, '1');
});

test('search, one, all, and by canonical url', async () => {
  const made = await create('search');
  const query = { identifier: `${system}|search`, birthdate: 'ge1990' };
  assert.deepEqual((await client.search('Patient', query)).total, 1);
  assert.equal((await client.searchOne('Patient', `identifier=${system}|search`)).id, made.id);
  assert.deepEqual(ids(await client.searchResources('Patient', query)), [made.id]);
  const some = await client.searchOne('Patient', { ...query, _elements: 'gender', _fields: undefined });
  assert.deepEqual([some.gender, some.name, some.meta.tag[0].code], ['female', undefined, 'SUBSETTED']);
  const url = 'http://medplum.example/ValueSet/v';
  const valueSet = await client.createResource({ resourceType: 'ValueSet', url, status: 'draft' });
  assert.equal((await client.readCanonical('ValueSet', url)).id, valueSet.id);
  assert.equal((await client.readCanonical(['ValueSet', 'CodeSystem'], url)).id, valueSet.id);
});

test('pages follow each other to the end', async () => {
  const made = [];
  for (const n of [1, 2, 3, 4, 5]) made.push((await create('paged', { birthDate: `1990-01-0${n}` })).id);
  const seen = [];
  const query = { identifier: `${system}|paged`, _sort: 'birthdate', _count: 2 };
  for await (const page of client.searchResourcePages('Patient', query)) seen.push(ids(page));
  assert.deepEqual(seen, [made.slice(0, 2), made.slice(2, 4), made.slice(4)]);
  const whole = [];
  const uncounted = { identifier: `${system}|paged`, _sort: 'birthdate' };
  for await (const page of client.searchResourcePages('Patient', uncounted)) whole.push(ids(page));
  assert.deepEqual(whole, [made]);
});

test('patch by JSON Patch', async () => {
  const made = await create('patch');
  const operations = [
    { op: 'test', path: '/meta/versionId', value: '1' },
    { op: 'replace', path: '/gender', value: 'male' },
  ];
  assert.equal((await client.patchResource('Patient', made.id, operations)).gender, 'male');
  await refused(client.patchResource('Patient', made.id, operations), 'conflict');
});

test('batch and transaction', async () => {
  const made = await create('bundle');
  const gone = { request: { method: 'GET', url: 'Patient/never-there' } };
  const read = { request: { method: 'GET', url: `Patient/${made.id}` } };
  const batch = await client.executeBatch({ resourceType: 'Bundle', type: 'batch', entry: [read, gone] });
  assert.deepEqual(batch.entry.map((entry) => entry.response.status), ['200', '404']);
  const fullUrl = 'urn:uuid:2f4a6a0c-56a5-4e2a-9a4a-3d5c1b0f8c11';
  const flag = { resourceType: 'Flag', status: 'active', code: { text: '过敏' }, subject: { reference: fullUrl } };
  const transaction = await client.executeBatch({
    resourceType: 'Bundle',
    type: 'transaction',
    entry: [
      { fullUrl, resource: patient('transaction'), request: { method: 'POST', url: 'Patient', ifNoneExist: `identifier=${system}|transaction` } },
      { resource: flag, request: { method: 'POST', url: 'Flag' } },
    ],
  });
  assert.deepEqual(transaction.entry.map((entry) => entry.response.status), ['201', '201']);
});

test('reads at once travel as one batch', async () => {
  const made = [await create('auto-1'), await create('auto-2')];
  const batching = new MedplumClient({ baseUrl: site, fhirUrlPath: 'fhir', autoBatchTime: 20 });
  const read = made.map(({ id }) => batching.readResource('Patient', id));
  const missing = batching.readResource('Patient', 'never-there');
  await refused(missing, 'not-found');
  assert.deepEqual(await Promise.all(read), made);
});

test('$everything, $validate, $expand and $graphql', async () => {
  const made = await create('operations');
  const everything = await client.readPatientEverything(made.id);
  assert.deepEqual(everything.entry.map((entry) => entry.resource.id), [made.id]);
  assert.equal((await client.validateResource(patient('x'))).resourceType, 'OperationOutcome');
  const expanded = await client.valueSetExpand({ url: 'http://hl7.org/fhir/ValueSet/administrative-gender', filter: 'fem' });
  assert.deepEqual(expanded.expansion.contains.map((one) => one.code), ['female']);
  const query = 'query One($id: ID!) { Patient(id: $id) { resourceType id gender } }';
  const found = await client.graphql(query, 'One', { id: made.id });
  assert.deepEqual(found.data.Patient, { resourceType: 'Patient', id: made.id, gender: 'female' });
});

test('the schema of a type is read through $graphql', async () => {
  await client.requestSchema('Patient');
});

test('a profile is read by its canonical url', async () => {
  await client.requestProfileSchema('http://hl7.org/fhir/StructureDefinition/Patient');
});

test('a token travels along', async () => {
  const { id } = await create('token');
  const signedIn = new MedplumClient({ baseUrl: site, fhirUrlPath: 'fhir', accessToken: 'made-up' });
  assert.equal((await signedIn.readResource('Patient', id)).id, id);
});
