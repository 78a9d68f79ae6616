import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import importX from 'eslint-plugin-import-x';
import ts from 'typescript-eslint';

/** Files that every room may import. */
const BASE = ['errors.ts', 'random.ts', 'shadow.ts', 'version.ts', 'warn_once.ts'];

/**
 * The rooms of src from the ground up, each with the rooms that it may import; nothing else is allowed. A room names only rooms above it in this
 * list, so there is no circle of rooms.
 */
export const ROOMS = {
  kernels: [],
  ops: [],
  files: [],
  tokenizers: [],
  generation: [],
  config: [],
  backends: ['register.ts'],
  safetensors: ['files'],
  gguf: ['files', 'safetensors'],
  layers: ['ops'],
  vocabulary: ['ops'],
  optimizers: ['ops'],
  data: ['backends', 'files'],
  taps: ['ops', 'layers', 'vocabulary'],
  losses: ['ops', 'vocabulary'],
  semantic_ids: ['data'],
  checkpoints: ['files', 'optimizers', 'safetensors', 'register.ts'],
  preparation: ['data', 'files', 'semantic_ids'],
  models: ['ops', 'layers', 'vocabulary', 'generation', 'register.ts'],
  lora: ['ops', 'files', 'layers', 'models', 'safetensors', 'taps', 'register.ts'],
  rewards: ['ops', 'generation', 'losses', 'models'],
  evaluation: ['data', 'generation', 'models'],
  pretrained: ['ops', 'files', 'layers', 'vocabulary', 'models', 'safetensors', 'tokenizers', 'register.ts'],
  prompts: ['ops', 'files', 'layers', 'tokenizers', 'pretrained'],
  training: ['ops', 'layers', 'taps', 'prompts', 'register.ts'],
  callbacks: ['checkpoints', 'layers', 'safetensors', 'training'],
  // prettier-ignore
  tapped: ['ops', 'generation', 'vocabulary', 'taps', 'losses', 'models', 'rewards', 'training', 'callbacks', 'register.ts'],
  ilrec: ['ops', 'vocabulary', 'taps', 'losses', 'rewards', 'tapped'],
  // prettier-ignore
  methods: ['ops', 'vocabulary', 'losses', 'taps', 'config', 'data', 'evaluation', 'files', 'generation', 'ilrec', 'layers', 'lora', 'models', 'pretrained', 'prompts', 'rewards', 'safetensors', 'tapped', 'tokenizers', 'training'],
  // prettier-ignore
  recommender: ['callbacks', 'checkpoints', 'config', 'data', 'evaluation', 'files', 'generation', 'lora', 'methods', 'models', 'optimizers', 'preparation', 'pretrained', 'safetensors', 'training', 'register.ts'],
  // prettier-ignore
  runs: ['backends', 'callbacks', 'checkpoints', 'config', 'data', 'evaluation', 'files', 'lora', 'methods', 'models', 'optimizers', 'preparation', 'pretrained', 'recommender', 'safetensors', 'training'],
  report: ['evaluation', 'ilrec', 'methods', 'recommender', 'runs'],
  cli: [
    'backends',
    'callbacks',
    'config',
    'data',
    'evaluation',
    'files',
    'methods',
    'preparation',
    'recommender',
    'report',
    'runs',
    'training',
    'register.ts',
  ],
};

/** The kernels are an entry of their own and import nothing else of the package. */
const baseOf = (room) => (room === 'kernels' ? [] : BASE);

const zones = Object.entries(ROOMS).map(([room, allowed]) => ({
  target: `./src/${room}`,
  from: './src',
  except: [...baseOf(room), room, ...allowed].map((name) => `./${name}`),
  message: `src/${room} may import ${[...baseOf(room), ...allowed].join(', ')}; ROOMS in eslint.config.js is the list.`,
}));

const noDeepImports = { group: ['@tensorflow/*/dist/*'], message: 'no deep imports from another package.' };

/** Rooms of the Node entry alone; elsewhere a file that reaches node: ends in _node.ts. */
const nodeOnly = ['src/node.ts', 'src/runs/**', 'src/cli/**', 'src/**/*_node.ts'];

export default ts.config(
  { ignores: ['dist/', 'node_modules/', './runs/', 'docs/'] },
  js.configs.recommended,
  ...ts.configs.recommended,
  prettier,
  {
    files: ['src/**/*.ts'],
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [importX.createNodeResolver({ extensions: ['.ts', '.js'] })] },
    rules: {
      '@typescript-eslint/explicit-function-return-type': ['error', { allowExpressions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { zones }],
      'no-console': 'error',
      // Prettier leaves comments and texts as they are
      'max-len': [
        'error',
        {
          code: 120,
          ignoreStrings: true,
          ignoreTemplateLiterals: true,
          ignoreTrailingComments: true,
          ignoreRegExpLiterals: true,
          ignorePattern: '^ +\\* ',
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: nodeOnly,
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['node:*'],
              allowTypeImports: true,
              message: 'browser-safe code never reaches node:; put it into a file that ends in _node.ts.',
            },
            {
              group: ['**/*_node'],
              allowTypeImports: true,
              message: 'browser-safe code never reaches a _node file.',
            },
            noDeepImports,
          ],
        },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/register.ts', 'src/index.ts', 'src/node.ts', 'src/cli/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'CallExpression[callee.property.name="setBackend"]',
          message: 'library code never sets the backend; useBackend does, when a user calls it.',
        },
      ],
    },
  },
  {
    files: nodeOnly,
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: [noDeepImports] }] },
  },
  { files: ['src/cli/**'], rules: { 'no-console': 'off' } },
  {
    files: ['spec/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
);
