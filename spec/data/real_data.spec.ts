import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { leaveOneOut } from '../../src/data/leave_one_out';
import { prepareInteractions } from '../../src/preparation/prepare';
import { readDataset } from '../../src/preparation/read_dataset_node';
import { SemanticIdTokenizer } from '../../src/tokenizers/semantic_id_tokenizer';

const DATA = fileURLToPath(new URL('../../../shared/data', import.meta.url));

const title = existsSync(DATA) ? 'real datasets' : 'real datasets (skipped: ../shared/data is not there)';
(existsSync(DATA) ? describe : describe.skip)(title, () => {
  it('reads Instruments (LC-Rec): counts as published', async () => {
    const data = prepareInteractions(await readDataset({ format: 'lc-rec', input: `${DATA}/instruments` }));
    const { users, items, interactions, semanticIds, sequenceLength } = data.report;
    expect([users, items, interactions]).to.deep.equal([24_772, 9_922, 206_153]);
    expect([sequenceLength.min, sequenceLength.max]).to.deep.equal([5, 218]);
    expect([semanticIds.distinct, semanticIds.collisions]).to.deep.equal([9_897, 25]);
    expect(semanticIds.codesUsed).to.deep.equal([150, 256, 256, 256]);
    expect(SemanticIdTokenizer.fromSemanticIds(data.semanticIds).vocabSize).to.equal(3 + 150 + 3 * 256);
    expect(leaveOneOut(data).test).to.have.length(24_772);
  });
  it('chains the windows of Industrial (MiniOneRec, no train split) into the sequences of its reconstructed.inter.json', async () => {
    const data = prepareInteractions(await readDataset({ format: 'minionerec', input: `${DATA}/industrial` }));
    expect([data.report.users, data.report.items, data.report.interactions]).to.deep.equal([3_285, 3_686, 22_743]);
    expect(data.report.semanticIds.distinct).to.equal(3_670);
    expect(data.titles?.every((text) => text !== null)).to.equal(true);
    const reference = JSON.parse(
      readFileSync(`${DATA}/industrial/Industrial_and_Scientific.reconstructed.inter.json`, 'utf8'),
    ) as Record<string, number[]>;
    data.userIds.forEach((user, row) =>
      expect([...data.sequences[row]].map((item) => Number(data.itemIds[item]))).to.deep.equal(reference[user]),
    );
  });
});
