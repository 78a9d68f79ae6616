import js from '@eslint/js';
import importX from 'eslint-plugin-import-x';
import ts from 'typescript-eslint';

/** Which folders a folder of src must not reach: ops <- layers <- models <- training <- cli. */
const FORBIDDEN = {
  ops: ['layers', 'losses', 'models', 'taps', 'callbacks', 'training', 'generation', 'evaluation', 'data'],
  kernels: ['ops', 'layers', 'losses', 'models', 'taps', 'callbacks', 'training', 'generation', 'evaluation', 'data'],
  layers: ['losses', 'models', 'taps', 'callbacks', 'training', 'generation', 'evaluation', 'data'],
  losses: ['layers', 'models', 'taps', 'callbacks', 'training', 'generation', 'evaluation', 'data', 'kernels'],
  taps: ['losses', 'models', 'callbacks', 'training', 'generation', 'evaluation', 'data'],
  models: ['training', 'callbacks', 'evaluation', 'data', 'taps'],
  generation: ['layers', 'losses', 'training', 'callbacks', 'data', 'taps'],
  evaluation: ['layers', 'losses', 'training', 'callbacks', 'taps'],
  data: ['layers', 'losses', 'models', 'training', 'callbacks', 'taps', 'generation'],
  rewards: ['layers', 'losses', 'training', 'callbacks', 'taps', 'evaluation', 'data'],
  tokenizers: ['layers', 'losses', 'models', 'training', 'callbacks', 'taps', 'generation', 'data'],
  prompts: ['losses', 'training', 'callbacks', 'taps', 'evaluation', 'generation', 'rewards'],
  pretrained: ['losses', 'callbacks', 'taps', 'evaluation', 'generation', 'rewards', 'prompts'],
  lora: ['losses', 'models', 'training', 'callbacks', 'evaluation', 'generation', 'data', 'rewards', 'prompts', 'pretrained'],
  semantic_ids: ['layers', 'losses', 'models', 'training', 'callbacks', 'taps', 'generation'],
};

const zones = Object.entries(FORBIDDEN).map(([folder, from]) => ({
  target: `./src/${folder}`,
  from: from.map((name) => `./src/${name}`),
  message: 'imports run ops <- layers <- models <- training <- cli; losses import ops only.',
}));

const nodeOnly = ['src/node.ts', 'src/cli/**', 'src/**/*_node.ts'];

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'runs/', 'docs/'] },
  js.configs.recommended,
  ...ts.configs.recommended,
  {
    files: ['src/**/*.ts'],
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [importX.createNodeResolver({ extensions: ['.ts', '.js'] })] },
    rules: {
      '@typescript-eslint/explicit-function-return-type': ['error', { allowExpressions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { zones: [...zones, { target: './src/!(cli)/**', from: './src/cli', message: 'nothing imports the command line.' }] }],
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: nodeOnly,
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: [
        { group: ['node:*'], allowTypeImports: true, message: 'browser-safe code never reaches node:; put it into a file that ends in _node.ts.' },
        { group: ['**/*_node'], allowTypeImports: true, message: 'browser-safe code never reaches a _node file.' },
        { group: ['@tensorflow/*/dist/*'], message: 'no deep imports from another package.' },
      ] }],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/register.ts', 'src/index.ts', 'src/node.ts', 'src/cli/**'],
    rules: {
      'no-restricted-syntax': ['error', { selector: 'CallExpression[callee.property.name="setBackend"]', message: 'library code never sets the backend; useBackend does, when a user calls it.' }],
    },
  },
  { files: ['src/cli/**'], rules: { 'no-console': 'off' } },
  { files: ['spec/**/*.ts'], rules: { '@typescript-eslint/no-unused-expressions': 'off', '@typescript-eslint/no-explicit-any': 'error', '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }] } },
);
