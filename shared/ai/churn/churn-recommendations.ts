import type { ChurnFeature } from './churn-features.ts';
import type { ChurnFactor, ChurnRecommendation } from './churn-score.schema.ts';

interface Rule {
  readonly code: string;
  readonly text: string;
  readonly features: readonly ChurnFeature[];
  /** The values that the action can change. Without it, any value that raises the risk calls for the action. */
  readonly values?: readonly string[];
}

const rules: readonly Rule[] = [
  {
    code: 'offer-longer-contract',
    text: 'Offer a one or two year contract with a benefit for committing.',
    features: ['contract'],
    values: ['Month-to-month', 'One year'],
  },
  {
    code: 'start-onboarding',
    text: 'Start the onboarding programme: a welcome call, help with the set-up, a check-in after each of the first bills.',
    features: ['tenure'],
  },
  {
    code: 'review-price',
    text: 'Review the price: move the customer to a plan that fits what is used, or grant a loyalty discount.',
    features: ['monthlyCharges'],
  },
  {
    code: 'check-fiber-quality',
    text: 'Check the fibre line for faults and speed, and compare its price with what rivals offer there.',
    features: ['internetService'],
    values: ['Fiber optic'],
  },
  {
    code: 'offer-online-security',
    text: 'Offer a free trial of the online security add-on.',
    features: ['onlineSecurity'],
    values: ['No'],
  },
  {
    code: 'offer-tech-support',
    text: 'Offer technical support, and ask proactively about open problems.',
    features: ['techSupport'],
    values: ['No'],
  },
  {
    code: 'offer-protection-add-ons',
    text: 'Offer backup and device protection as a bundle with what the customer has.',
    features: ['onlineBackup', 'deviceProtection'],
    values: ['No'],
  },
  {
    code: 'move-to-automatic-payment',
    text: 'Invite the customer to pay by bank transfer or card automatically, with a small credit for the change.',
    features: ['paymentMethod'],
    values: ['Electronic check', 'Mailed check'],
  },
  {
    code: 'clarify-bills',
    text: 'Send a short summary that explains each electronic bill, and announce changes before they are charged.',
    features: ['paperlessBilling'],
    values: ['Yes'],
  },
  {
    code: 'review-extras',
    text: 'Check that the extras are used, and bundle them at a lower price than apart.',
    features: ['streamingTV', 'streamingMovies', 'multipleLines'],
    values: ['Yes'],
  },
  {
    code: 'offer-phone-bundle',
    text: 'Offer telephone service in a bundle with the internet access.',
    features: ['phoneService'],
    values: ['No'],
  },
];

/** Log-odds. Below it a factor moves the probability by about one percentage point at most: no reason to act. */
const leastContribution = 0.05;

/** The actions that the factors call for, the one with the most risk behind it first. */
export const recommend = (factors: readonly ChurnFactor[]): ChurnRecommendation[] =>
  rules
    .map(({ code, text, features, values }) => {
      const causes = factors.filter(
        ({ feature, value, contribution }) =>
          contribution >= leastContribution &&
          features.includes(feature) &&
          (values === undefined || values.includes(String(value))),
      );
      const weight = causes.reduce((sum, { contribution }) => sum + contribution, 0);
      return { weight, recommendation: { code, text, because: causes.map(({ feature }) => feature) } };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .map(({ recommendation }) => recommendation);
